"""The web server of the page: HTTP for three files, a WebSocket for the rest.

Only pages of this server may speak to it: the names it answers to are a list (else a page from
elsewhere could reach it by a name that leads here), and ``Origin`` must be the ``Host``.
"""

import asyncio
import http
from collections.abc import Sequence
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from insula_simulator.live.controls import decode
from insula_simulator.live.running import Refused, Running
from insula_simulator.scenario import Scenario

SOCKET = "/live"
MOST_BROWSERS = 64
LONGEST = 4096
"""Bytes of a message from a browser."""
_PAGES = {
    "/": ("page.html", "text/html"),
    "/live.js": ("live.js", "text/javascript"),
    "/live.css": ("live.css", "text/css"),
}
_SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Live:
    """One scenario, and the browsers that look at it."""

    def __init__(self, scenario: Scenario, names: Sequence[str] = ()) -> None:
        self.names = {*LOOPBACK, *(name.lower() for name in names)}
        self.browsers: set[ServerConnection] = set()
        self.running = Running(scenario, self._publish, self._end)
        self.ended = asyncio.Event()
        """Nothing is played any more."""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, host: str, port: int) -> Server:
        """Begin. Raises OSError: the address is taken."""
        self._loop = asyncio.get_running_loop()
        server = await serve(
            self._talk, host, port, process_request=self._answer, max_size=LONGEST,
            compression=None, server_header=None,
        )  # fmt: skip
        self.running.start()
        return server

    async def stop(self) -> None:
        """Raises what ended the simulation, if something did."""
        await asyncio.to_thread(self.running.stop)
        if self.running.fault:
            raise self.running.fault

    def _end(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.ended.set)

    def _publish(self, message: bytes) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._broadcast, message.decode())

    def _broadcast(self, message: str) -> None:
        broadcast(self.browsers, message)

    async def _talk(self, browser: ServerConnection) -> None:
        await browser.send(self.running.welcome().decode())
        self.browsers.add(browser)
        try:
            async for message in browser:
                await self._hear(browser, message)
        except ConnectionClosed:
            pass
        finally:
            self.browsers.discard(browser)

    async def _hear(self, browser: ServerConnection, message: str | bytes) -> None:
        try:
            self.running.ask(decode(message))
        except (msgspec.DecodeError, UnicodeDecodeError, Refused) as error:
            told = msgspec.json.encode({"kind": "refused", "why": str(error)})
            await browser.send(told.decode())

    def _answer(self, browser: ServerConnection, request: Request) -> Response | None:
        """None lets a WebSocket begin."""
        host = request.headers.get_all("Host")
        if len(host) != 1 or urlsplit(f"//{host[0]}").hostname not in self.names:
            return _page(http.HTTPStatus.MISDIRECTED_REQUEST, "not a name of this server\n")
        path = request.path.partition("?")[0]
        if path == SOCKET:
            return self._admit(request, host[0])
        if path not in _PAGES:
            return _page(http.HTTPStatus.NOT_FOUND, "there is nothing here\n")
        name, kind = _PAGES[path]
        content = files("insula_simulator.live").joinpath("static", name).read_text("utf-8")
        return _page(http.HTTPStatus.OK, content, kind)

    def _admit(self, request: Request, host: str) -> Response | None:
        origins = request.headers.get_all("Origin")
        if any(urlsplit(origin).netloc != host for origin in origins):
            return _page(http.HTTPStatus.FORBIDDEN, "not for pages from elsewhere\n")
        if len(self.browsers) >= MOST_BROWSERS:
            return _page(http.HTTPStatus.SERVICE_UNAVAILABLE, "too many are looking\n")
        if "upgrade" not in request.headers.get("Connection", "").lower():
            return _page(http.HTTPStatus.UPGRADE_REQUIRED, "a WebSocket\n")
        return None


def _page(status: http.HTTPStatus, content: str, kind: str = "text/plain") -> Response:
    body = content.encode()
    headers = Headers(_SAFE)
    headers["Content-Type"] = f"{kind}; charset=utf-8"
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(status.value, status.phrase, headers, body)
