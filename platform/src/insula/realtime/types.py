"""What a module says of its live channels."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(:uuid)?\}")
_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_TEXT_PART = r"[A-Za-z0-9._~-]{1,100}"
_UUID_PART = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A family of live channels of a module, such as ``polls/{poll_id:uuid}``.

    An event reaches a channel that its emitter named: ``emit(…, channels=(f"polls/{poll.id}",))``.
    """

    pattern: str
    """``<module>/…`` with ``{name}`` for a part, given to the functions by name: as text, or with
    ``{name:uuid}`` as a UUID, and then nothing else matches."""
    right: str
    """What whoever watches must have: a scope, ``SIGNED_IN`` or ``PUBLIC``."""
    authorize: Callable[..., Awaitable[None]] | None = None
    """``await authorize(tx, caller, poll_id=…)``; ``caller`` is None for somebody not signed in,
    which only a public channel meets. Raises a Problem (or RowNotFound) unless the caller may
    watch. ``tx`` is for reading. Asked again every minute or so, while somebody watches."""
    snapshot: Callable[..., Awaitable[Any]] | None = None
    """``await snapshot(tx, caller, poll_id=…)``: the present state, sent before what is new. A
    message that follows may tell of a change that the snapshot shows already; never is one missing
    between the two."""
    presence: bool = False
    """Whether those who watch are told who else does (signed-in users, by their ids)."""
    matcher: re.Pattern[str] = field(init=False, repr=False, compare=False)
    uuids: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the pattern.

        Raises:
            ValueError: it cannot be read.
        """
        parts, uuids = [], set()
        for part in self.pattern.split("/"):
            if (match := _PLACEHOLDER.fullmatch(part)) is not None:
                kind = _UUID_PART if match[2] else _TEXT_PART
                parts.append(f"(?P<{match[1]}>{kind})")
                if match[2]:
                    uuids.add(match[1])
            elif _WORD.fullmatch(part):
                parts.append(re.escape(part))
            else:
                raise ValueError(f"channel pattern {self.pattern!r}: {part!r} cannot be read")
        object.__setattr__(self, "matcher", re.compile("/".join(parts)))
        object.__setattr__(self, "uuids", frozenset(uuids))

    def parts_of(self, name: str) -> dict[str, str | UUID] | None:
        """The parts that a channel's name has; None if it is none of this family."""
        match = self.matcher.fullmatch(name)
        if match is None:
            return None
        named = match.groupdict()
        return {key: UUID(text) if key in self.uuids else text for key, text in named.items()}
