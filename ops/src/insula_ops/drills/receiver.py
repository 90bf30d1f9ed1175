"""Somebody's server that takes webhooks and remembers each of them."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Receiver:
    """``with Receiver() as receiver:`` answers 204 to every webhook."""

    def __init__(self) -> None:
        self.revisions: dict[str, list[int]] = defaultdict(list)
        """By subject: the revisions in the order of their first arrival."""
        self.arrivals = 0
        self._ids: set[str] = set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def duplicates(self) -> int:
        return self.arrivals - len(self._ids)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def note(self, webhook_id: str, event: dict[str, Any]) -> None:
        """Remember an event; a repeated one only counts."""
        with self._lock:
            self.arrivals += 1
            if webhook_id not in self._ids:
                self._ids.add(webhook_id)
                self.revisions[event["subject"]].append(event["data"]["revision"])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.note(self.headers["webhook-id"], json.loads(body))
                self.send_response(204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler
