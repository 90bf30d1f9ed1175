"""What a vote may say in each kind of poll, and what it adds to the tally."""

from collections import Counter
from typing import Any

import msgspec
from insula.http.problem import FieldError, InvalidInput
from msgspec import UNSET

from insula_tenants.polls.schemas import Poll, VoteCast


class Ballot(msgspec.Struct, frozen=True):
    """A vote that fits its poll."""

    choices: list[int]
    """Of options in the order of preference where that counts, else sorted; or the rating."""
    answer: str | None = None


def read_ballot(poll: Poll, cast: VoteCast) -> Ballot:
    """The ballot that somebody cast.

    Raises:
        InvalidInput: it does not fit the poll.
    """
    if poll.kind == "rating":
        return Ballot([_rating(poll, cast)])
    if poll.kind == "open":
        if cast.answer is UNSET or cast.choices or cast.rating is not UNSET:
            raise _refused("/answer", "an open question takes an answer, and nothing else")
        return Ballot([], cast.answer.strip())
    if cast.rating is not UNSET or cast.answer is not UNSET:
        raise _refused("/choices", "this poll takes choices, and nothing else")
    return Ballot(_choices(poll, cast.choices))


def _rating(poll: Poll, cast: VoteCast) -> int:
    if cast.rating is UNSET or cast.choices or cast.answer is not UNSET:
        raise _refused("/rating", "this poll takes a rating, and nothing else")
    if cast.rating > poll.scale:
        raise _refused("/rating", f"goes from 1 to {poll.scale}")
    return cast.rating


def _choices(poll: Poll, choices: list[int]) -> list[int]:
    if unknown := sorted(set(choices) - set(range(1, len(poll.options) + 1))):
        raise _refused("/choices", f"there is no option {unknown[0]}")
    if len(set(choices)) < len(choices):
        raise _refused("/choices", "names an option twice")
    if not poll.min_choices <= len(choices) <= poll.max_choices:
        raise _refused("/choices", f"takes {_span(poll.min_choices, poll.max_choices)}")
    return choices if poll.kind == "ranked" else sorted(choices)


def _span(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def _refused(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(errors=(FieldError(pointer, detail),))


def counts_of(poll: Poll, choices: list[int]) -> dict[str, int]:
    """What a vote adds to the tally, by key."""
    if poll.kind == "ranked":
        return {">".join(map(str, choices)): 1}
    return {str(choice): 1 for choice in choices}


def ranking_of(key: str) -> tuple[int, ...]:
    """A ranking from its key in the tally."""
    return tuple(map(int, key.split(">")))


def difference(new: dict[str, int], old: dict[str, int]) -> dict[str, int]:
    """What ``new`` adds to and takes from ``old``."""
    changed: Counter[str] = Counter(new)
    changed.subtract(old)
    return {key: votes for key, votes in changed.items() if votes}


def option_texts(poll: Poll) -> dict[int, str]:
    return {option["id"]: option["text"] for option in _plain(poll.options)}


def _plain(options: Any) -> list[dict[str, Any]]:
    """JSONB columns come as plain dicts; structs are made of them where they go out."""
    return msgspec.to_builtins(options)  # type: ignore[no-any-return]
