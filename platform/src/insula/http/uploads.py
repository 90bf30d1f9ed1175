"""Routes that read their body themselves, as it arrives, instead of finding it read and checked."""

import re
from collections import defaultdict

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from insula.http.allow import pattern_of


class Uploads:
    """Knows them by method and path; declared with ``body_limit`` in a route's decorator."""

    def __init__(self, app: Litestar) -> None:
        self._fixed: set[tuple[str, str]] = set()
        self._patterns: dict[str, list[re.Pattern[str]]] = defaultdict(list)
        self._keyed: list[re.Pattern[str]] = []
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for handler in route.route_handlers:
                    if isinstance(handler, HTTPRouteHandler) and handler.opt.get("body_limit"):
                        self._add(route, handler)

    def _add(self, route: HTTPRoute, handler: HTTPRouteHandler) -> None:
        for method in handler.http_methods:
            if route.path_parameters:
                self._patterns[method].append(re.compile(pattern_of(route)))
            else:
                self._fixed.add((method, route.path))
        if handler.opt.get("keyed"):
            self._keyed.append(re.compile(pattern_of(route)))

    def takes(self, method: str, path: str) -> bool:
        if (method, path) in self._fixed:
            return True
        patterns = self._patterns.get(method)
        return patterns is not None and any(pattern.fullmatch(path) for pattern in patterns)

    def keeps_key(self, path: str) -> bool:
        """Whether a POST there honours ``Idempotency-Key``: all that it does is in the request's
        transaction. Declared with ``keyed=True``."""
        return any(pattern.fullmatch(path) for pattern in self._keyed)
