"""Putting a poll together: what fits with what, and what is filled in."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say

from insula_tenants.polls.ballots import option_texts
from insula_tenants.polls.schemas import Poll

_WITH_OPTIONS = ("single", "multiple", "ranked", "quiz")
_PLAIN = (
    "kind", "question", "description", "correct", "scale", "points", "explanation", "reveal",
    "voters", "anonymous", "may_change", "moderated", "results", "opens_at", "closes_at",
)  # fmt: skip


def as_given(poll: Poll) -> dict[str, Any]:
    """A poll as it would have to be given to be made again."""
    fields = msgspec.structs.asdict(poll)
    given = {name: fields[name] for name in _PLAIN}
    given["options"] = list(option_texts(poll).values())
    if poll.kind in ("multiple", "ranked", "quiz"):
        given |= {"min_choices": poll.min_choices, "max_choices": poll.max_choices}
    return given


def compose(given: dict[str, Any]) -> dict[str, Any]:
    """The columns of a poll.

    Raises:
        InvalidInput: with every part that does not fit.
    """
    if faults := tuple(_faults(given)):
        raise InvalidInput(errors=faults)
    least, most = _span(given)
    row = {name: given[name] for name in _PLAIN}
    options = [{"id": id_, "text": text} for id_, text in enumerate(given["options"], 1)]
    row["correct"] = sorted(given["correct"])
    return row | {"options": options, "min_choices": least, "max_choices": most}


def _span(given: dict[str, Any]) -> tuple[int, int]:
    """Between how many and how many choices a vote makes."""
    if given["kind"] not in ("multiple", "ranked", "quiz"):
        return 1, 1
    every = len(given["correct"]) if given["kind"] == "quiz" else len(given["options"])
    least = given.get("min_choices", 1)
    return least, given.get("max_choices", max(every, least))


def _faults(given: dict[str, Any]) -> Iterator[FieldError]:
    yield from _option_faults(given)
    yield from _quiz_faults(given)
    yield from _time_faults(given)
    if given["moderated"] and given["kind"] != "open":
        yield FieldError("/moderated", "is for open questions")


def _option_faults(given: dict[str, Any]) -> Iterator[FieldError]:
    kind, options = given["kind"], given["options"]
    if kind not in _WITH_OPTIONS:
        if options:
            yield FieldError("/options", say("are not for polls of the kind {kind}", kind=kind))
        return
    if len(options) < 2:
        yield FieldError("/options", "need to be two at least")
    if len({text.strip().casefold() for text in options}) < len(options):
        yield FieldError("/options", "must differ")
    least, most = _span(given)
    if most > len(options):
        yield FieldError("/max_choices", "are more than there are options")
    if least > most:
        yield FieldError("/min_choices", "are more than max_choices")


def _quiz_faults(given: dict[str, Any]) -> Iterator[FieldError]:
    correct = given["correct"]
    if given["kind"] != "quiz":
        if correct:
            yield FieldError("/correct", "is for quizzes")
        return
    least, most = _span(given)
    if not correct:
        yield FieldError("/correct", "needs an option at least")
    elif len(set(correct)) < len(correct) or max(correct) > len(given["options"]):
        yield FieldError("/correct", "must name options, each once")
    elif not least <= len(correct) <= most:
        yield FieldError("/correct", "could not be chosen: see min_choices and max_choices")
    if given["may_change"] and given["reveal"] == "after_vote":
        yield FieldError("/may_change", "would let people change to the answer that they were told")


def _time_faults(given: dict[str, Any]) -> Iterator[FieldError]:
    opens, closes = given["opens_at"], given["closes_at"]
    naive = [name for name in ("opens_at", "closes_at") if _is_naive(given[name])]
    for name in naive:
        yield FieldError(f"/{name}", "needs a time zone, such as Z")
    if opens and closes and not naive and closes <= opens:
        yield FieldError("/closes_at", "is not after opens_at")


def _is_naive(moment: datetime | None) -> bool:
    return moment is not None and moment.tzinfo is None
