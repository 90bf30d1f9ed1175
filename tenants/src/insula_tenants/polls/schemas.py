"""What polls take and give."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from insula_tenants.polls.irv import Outcome

OPTION_LIMIT = 50
Kind = Literal["single", "multiple", "ranked", "rating", "quiz", "open"]
VoterKind = Literal["user", "token", "cookie"]
Visibility = Literal["always", "after_vote", "after_close"]
Reveal = Literal["after_vote", "after_close"]
State = Literal["draft", "scheduled", "open", "closed"]
AnswerState = Literal["shown", "pending", "rejected"]

Question = Annotated[
    str, Meta(min_length=1, max_length=300, pattern=r"\S", examples=["Tea or coffee?"])
]
Prose = Annotated[str, Meta(max_length=2000)]
OptionText = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S", examples=["Tea"])]
OptionId = Annotated[int, Meta(ge=1, le=OPTION_LIMIT)]
OptionTexts = Annotated[
    list[OptionText], Meta(max_length=OPTION_LIMIT, examples=[["Tea", "Coffee"]])
]
OptionIds = Annotated[list[OptionId], Meta(max_length=OPTION_LIMIT)]
Choices = Annotated[list[OptionId], Meta(max_length=OPTION_LIMIT, examples=[[1]])]
Stars = Annotated[int, Meta(ge=1, le=10)]
AnswerText = Annotated[
    str, Meta(min_length=1, max_length=1000, pattern=r"\S", examples=["More trees"])
]
Scale = Annotated[int, Meta(ge=2, le=10)]
Points = Annotated[int, Meta(ge=1, le=1000)]
Moment = Annotated[datetime | None, Meta(examples=[None])]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Input: a field that nobody knows is a mistake worth telling."""


class PollCreate(Strict):
    kind: Annotated[Kind, Meta(examples=["single"])]
    question: Question
    description: Prose = ""
    options: OptionTexts = []
    """What can be chosen; the first has the id 1. None for ratings and open questions."""
    correct: Annotated[list[OptionId], Meta(max_length=OPTION_LIMIT, examples=[[]])] = []
    """Of a quiz: ids of the right options, all of which have to be chosen and no other."""
    min_choices: Annotated[OptionId | UnsetType, Meta(examples=[1])] = UNSET
    """1 unless given; for multiple, ranked and quiz."""
    max_choices: Annotated[OptionId | UnsetType, Meta(examples=[1])] = UNSET
    """As many as there are options (in a quiz: right ones) unless given."""
    scale: Scale = 5
    """A rating goes from 1 to this."""
    points: Points = 1
    explanation: Prose = ""
    """Of a quiz: shown together with the right answer."""
    reveal: Reveal = "after_close"
    """When a quiz tells the right answer."""
    voters: VoterKind = "user"
    """Who has one vote: a signed-in user, a voting token, or a browser by its cookie."""
    anonymous: bool = False
    """Nothing tells who voted what, not even to the poll's author."""
    may_change: bool = False
    moderated: bool = False
    """Answers to an open question are shown once they have been approved."""
    results: Visibility = "always"
    opens_at: Moment = None
    closes_at: Moment = None
    draft: bool = False
    """Wait to be opened by hand."""


class PollUpdate(Strict):
    """Once there are votes, only ``closes_at`` can be changed."""

    question: Question | UnsetType = UNSET
    description: Prose | UnsetType = UNSET
    options: OptionTexts | UnsetType = UNSET
    correct: OptionIds | UnsetType = UNSET
    min_choices: OptionId | UnsetType = UNSET
    max_choices: OptionId | UnsetType = UNSET
    scale: Scale | UnsetType = UNSET
    points: Points | UnsetType = UNSET
    explanation: Prose | UnsetType = UNSET
    reveal: Reveal | UnsetType = UNSET
    voters: VoterKind | UnsetType = UNSET
    anonymous: bool | UnsetType = UNSET
    may_change: bool | UnsetType = UNSET
    moderated: bool | UnsetType = UNSET
    results: Visibility | UnsetType = UNSET
    opens_at: datetime | UnsetType | None = UNSET
    closes_at: datetime | UnsetType | None = UNSET


class Opening(Strict):
    closes_at: Moment = None
    """When it closes by itself; never if null."""


class Option(msgspec.Struct, frozen=True):
    id: int
    text: str


class Poll(msgspec.Struct):
    """A poll. The right answer of a quiz is left out for those who do not run it."""

    id: UUID
    author_id: UUID
    kind: str
    question: str
    description: str
    options: list[Option]
    correct: list[int]
    min_choices: int
    max_choices: int
    scale: int
    points: int
    explanation: str
    reveal: str
    voters: str
    anonymous: bool
    may_change: bool
    moderated: bool
    results: str
    state: str
    opens_at: datetime | None
    closes_at: datetime | None
    closed_at: datetime | None
    version: int
    """Counts the changes; the `ETag`."""
    created_at: datetime
    updated_at: datetime


class PollLine(msgspec.Struct):
    """A poll in a list."""

    id: UUID
    author_id: UUID
    kind: str
    question: str
    voters: str
    results: str
    state: str
    opens_at: datetime | None
    closes_at: datetime | None
    votes: int
    """As far as they have been counted."""
    created_at: datetime


class VoteCast(Strict):
    """A vote: ``choices`` for everything but ratings and open questions."""

    choices: Choices = []
    """Ids of options; where the poll is ranked, the most preferred first."""
    rating: Stars | UnsetType = UNSET
    answer: AnswerText | UnsetType = UNSET


class Verdict(msgspec.Struct):
    """How somebody did in a quiz."""

    right: bool
    points: int
    correct: list[int]
    explanation: str


class Receipt(msgspec.Struct):
    """A vote was counted. ``receipt`` is its id, known to the voter alone in an anonymous poll:
    who keeps it can find the vote in the export."""

    receipt: UUID
    replaced: bool
    """It took the place of an earlier vote of the same voter."""
    verdict: Verdict | None = None
    """In a quiz that tells at once."""


class MyVote(msgspec.Struct):
    receipt: UUID
    choices: list[int]
    answer: str | None
    cast_at: datetime | None


class BallotPaper(msgspec.Struct):
    """A poll as a voter sees it."""

    id: UUID
    kind: str
    question: str
    description: str
    options: list[Option]
    min_choices: int
    max_choices: int
    scale: int
    voters: str
    anonymous: bool
    may_change: bool
    moderated: bool
    results: str
    state: str
    opens_at: datetime | None
    closes_at: datetime | None
    has_voted: bool
    vote: MyVote | None
    """What this voter chose; null in a secret ballot, which keeps no link."""
    shows_results: bool
    """Whether this voter may see the results now."""
    verdict: Verdict | None
    """In a quiz that has told, to who has voted."""


class Rating(msgspec.Struct):
    average: float | None
    median: float | None


class Quiz(msgspec.Struct):
    right: int
    """Votes that were wholly right."""
    correct: list[int]
    explanation: str


class Results(msgspec.Struct):
    """The tally after the delta ``number``: what is counted is the sum of the deltas 1 to
    ``number``, which come on the live channel ``channel``."""

    poll_id: UUID
    state: str
    number: int
    voters: int
    counts: dict[str, int]
    """Votes by option id, by rating (``"1"`` and up) or, where the poll is ranked, by ranking
    (``"3>1>2"``). What nobody chose is left out."""
    final: bool
    """The poll is closed and every vote is counted."""
    channel: str
    rating: Rating | None = None
    outcome: Outcome | None = None
    """Of a ranked poll."""
    quiz: Quiz | None = None
    """Once it is revealed."""


class TokensCreate(Strict):
    count: Annotated[int, Meta(ge=1, le=1000, examples=[3])]


class Tokens(msgspec.Struct):
    """Fresh voting tokens, shown this once: only digests are kept."""

    tokens: list[str]


class TokenCounts(msgspec.Struct):
    issued: int
    used: int


class Answer(msgspec.Struct):
    """An answer to an open question; ``user_id`` only where the poll is not anonymous."""

    id: UUID
    answer: str
    state: str
    user_id: UUID | None


class Moderation(Strict):
    """What becomes of some answers."""

    answers: Annotated[list[UUID], Meta(min_length=1, max_length=100)]
    state: Annotated[AnswerState, Meta(examples=["shown"])]


class Snapshot(msgspec.Struct):
    """What a watcher starts from. ``results`` is null where the channel does not show them yet."""

    state: str
    results: Results | None
