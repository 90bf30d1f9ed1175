"""Filling an installation through its own HTTP API."""

import http.client
import time
from typing import Any

import msgspec

_IDLE_SECONDS = 5.0


class Api:
    """One keep-alive connection of one user."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers: dict[str, str] = {}
        self._used = time.monotonic()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer.

        Raises:
            RuntimeError: the status is not 2xx.
        """
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._connection.close()  # which opens it again; the server is about to end it
        content = b"" if body is None else msgspec.json.encode(body)
        kind = {"Content-Type": "application/json"} if content else {}
        self._connection.request(method, path, content, {**self.headers, **kind})
        response = self._connection.getresponse()
        answer = response.read()
        self._used = time.monotonic()
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:500]!r}")
        return msgspec.json.decode(answer) if answer else None

    def sign_up(self, slug: str) -> Any:
        """Make a tenant and act as its owner from now on."""
        owner = {"email": f"owner@{slug}.example", "password": "a long enough pass phrase"}
        form = {"slug": slug, "name": slug, "owner": {**owner, "name": "Owner"}}
        self.headers.clear()
        answer = self.call("POST", "/api/v1/tenants", form)
        self.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return answer["tenant"]

    def close(self) -> None:
        self._connection.close()
