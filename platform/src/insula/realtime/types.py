"""What a module says of its live channels."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A family of live channels of a module, such as ``polls/{poll_id}``.

    An event reaches a channel that its emitter named: ``emit(…, channels=(f"polls/{poll.id}",))``.
    """

    pattern: str
    """``<module>/…`` with ``{name}`` for a part; parts are given to the functions by name."""
    authorize: Callable[..., Awaitable[None]]
    """``await authorize(tx, caller, poll_id="…")``; ``caller`` is None for somebody not signed in.
    Raises a Problem unless the caller may watch."""
    snapshot: Callable[..., Awaitable[Any]] | None = None
    """``await snapshot(tx, caller, poll_id="…")``: the present state, sent before what is new."""
