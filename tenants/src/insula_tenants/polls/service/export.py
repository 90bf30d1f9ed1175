"""Votes as a table for spreadsheets (CSV, RFC 4180)."""

import csv
import io
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO

from insula.db import Work

from insula_tenants.polls.ballots import option_texts
from insula_tenants.polls.queries import votes
from insula_tenants.polls.queries.polls import Stored
from insula_tenants.polls.queries.votes import Exported

_MEMORY = 4 << 20
_HEADER = ("receipt", "cast_at", "user_id", "choices", "texts", "answer", "answer_state")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def write_votes(tx: Work, poll: Stored) -> BinaryIO:
    """Every vote as it stands at one moment, a line each, in a file that is its reader's to close.
    An anonymous poll has no times and no users in it, and its order says nothing."""
    file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed when it has been sent
    text = io.TextIOWrapper(file, "utf-8-sig", newline="", write_through=True)
    lines, texts = csv.writer(text), option_texts(poll)
    lines.writerow(_HEADER)
    async for vote in tx.stream(votes.EXPORT, poll_id=poll.id):
        lines.writerow(_line(vote, poll, texts))
    text.detach()
    file.seek(0)
    return file  # type: ignore[return-value]


def _line(vote: Exported, poll: Stored, texts: dict[int, str]) -> tuple[object, ...]:
    named = "" if poll.kind == "rating" else "; ".join(texts[choice] for choice in vote.choices)
    return (
        vote.id,
        vote.cast_at.isoformat() if vote.cast_at else "",
        vote.user_id or "",
        " ".join(map(str, vote.choices)),
        _harmless(named),
        _harmless(vote.answer or ""),
        vote.answer_state if vote.answer else "",
    )


def _harmless(text: str) -> str:
    """A spreadsheet would run what looks like a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


async def read_chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(1 << 16):
            yield chunk
