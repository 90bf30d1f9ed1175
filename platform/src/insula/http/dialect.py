"""Other products' APIs below ``/compat``: how they say no, where that differs from ours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from insula.http.problem import Problem

GATED: Final = ("/api/", "/compat/", "/graphql")
"""Paths that the gate looks at: it finds tenant and caller, limits, and opens a unit of work."""


@dataclass(frozen=True)
class Dialect:
    """What a router below ``/compat`` says for itself, as ``Router(opt={"dialect": …})``."""

    document: type[msgspec.Struct]
    """The struct of its error documents, for OpenAPI."""
    render: Callable[[Problem], Any]
    """Turns a problem into such a document."""
    statuses: Mapping[int, int] = field(default_factory=dict)
    """Statuses that it has others for: ``{400: 422}``."""
    schemes: tuple[str, ...] = ("bearer",)
    """What may stand before the token in ``Authorization``, in lower case."""
    media_type: str = "application/json"

    def status_of(self, status: int) -> int:
        """What it answers where Insula would with ``status``."""
        return self.statuses.get(status, status)

    def body(self, problem: Problem) -> bytes:
        return msgspec.json.encode(self.render(problem))


class Dialects:
    """Finds the dialect of a path."""

    def __init__(self, prefixes: Sequence[tuple[str, Dialect]]) -> None:
        self._prefixes = prefixes

    def of(self, path: str) -> Dialect | None:
        for prefix, dialect in self._prefixes:
            if path == prefix or path.startswith(f"{prefix}/"):
                return dialect
        return None
