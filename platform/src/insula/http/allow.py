"""``Allow``: which methods a path has (RFC 9110, section 10.2.1)."""

import re

from litestar import Litestar
from litestar.routes import HTTPRoute


class AllowedMethods:
    """Looked up only for answers that say no, so a linear search will do."""

    def __init__(self, app: Litestar) -> None:
        self._routes = [
            (re.compile(pattern_of(route)), frozenset(route.methods))
            for route in app.routes
            if isinstance(route, HTTPRoute)
        ]

    def of(self, path: str) -> str:
        """The header's value for a path, ``HEAD`` included where there is ``GET``."""
        methods: set[str] = set()
        for pattern, those in self._routes:
            if pattern.fullmatch(path.rstrip("/") or "/"):
                methods |= those
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted(methods))


def pattern_of(route: HTTPRoute) -> str:
    """What a path of the route looks like, as a regular expression."""
    parts = [
        re.escape(part) if isinstance(part, str) else "[^/]+" for part in route.path_components
    ]
    return "/" + "/".join(parts)
