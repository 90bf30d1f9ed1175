"""What happens to polls."""

from uuid import UUID

import msgspec
from insula.events import EventType


class PollCreated(msgspec.Struct, frozen=True):
    poll_id: UUID
    kind: str
    question: str


class PollChanged(msgspec.Struct, frozen=True):
    """The poll was edited, opened, closed or reopened, and is in this state now."""

    poll_id: UUID
    state: str


class PollConcluded(msgspec.Struct, frozen=True):
    """Every vote is counted: the final result."""

    poll_id: UUID
    number: int
    voters: int
    counts: dict[str, int]


class VoteCast(msgspec.Struct, frozen=True):
    """Says neither who nor what in an anonymous poll, and never what."""

    poll_id: UUID
    user_id: UUID | None
    replaced: bool = False
    withdrawn: bool = False


class TallyChanged(msgspec.Struct, frozen=True):
    """What is added to the result ``number - 1`` to get the result ``number``."""

    poll_id: UUID
    number: int
    voters: int
    """How many more have voted; negative where votes were withdrawn."""
    counts: dict[str, int]
    """How many more votes say this, by the keys of the results."""


class AnswerShown(msgspec.Struct, frozen=True):
    poll_id: UUID
    answer_id: UUID
    answer: str


CREATED = EventType("polls.poll.created", PollCreated, "A poll was made.")
UPDATED = EventType("polls.poll.updated", PollChanged, "A poll was edited.")
OPENED = EventType("polls.poll.opened", PollChanged, "A poll takes votes from now on.")
CLOSED = EventType("polls.poll.closed", PollChanged, "A poll takes no more votes.")
CONCLUDED = EventType("polls.poll.concluded", PollConcluded, "A closed poll is counted in full.")
DELETED = EventType("polls.poll.deleted", PollChanged, "A poll was deleted with its votes.")
CAST = EventType("polls.vote.cast", VoteCast, "Somebody voted, changed or withdrew a vote.")
TALLIED = EventType("polls.tally.changed", TallyChanged, "The result changed, by this much.")
ANSWERED = EventType("polls.answer.shown", AnswerShown, "An answer to an open question is shown.")

EVENTS = (CREATED, UPDATED, OPENED, CLOSED, CONCLUDED, DELETED, CAST, TALLIED, ANSWERED)
