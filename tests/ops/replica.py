"""A replica for the gateway's tests: says who it is and what it was sent, and breaks on request.

``REPLICA`` is its name; ``LEDGER`` is a file that all replicas append to, one line per request
that counts.
"""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

NAME = os.environ["REPLICA"]
LEDGER = Path(os.environ["LEDGER"])


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        await answer(scope, receive, send)


async def echo(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    await send({"type": "websocket.send", "text": f"{NAME}: {message['text']}"})


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    length = await body_length(receive)
    status, headers = 200, [(b"content-type", b"application/json")]
    match scope["path"]:
        case "/slow":
            record(scope)
            await asyncio.sleep(4)
        case "/crash":
            record(scope)
            die()
        case "/crash-once":
            if record(scope) == 1:
                die()
        case "/busy":
            record(scope)
            status = 503
        case "/framed":
            headers.append((b"x-frame-options", b"SAMEORIGIN"))
        case "/counted":
            record(scope)
    about = {
        "replica": NAME,
        "method": scope["method"],
        "body_length": length,
        "headers": [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ],
    }
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(about).encode()})


async def body_length(receive: Any) -> int:
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    return length


def record(scope: dict[str, Any]) -> int:
    """Note the request and answer how many of its path all replicas have seen."""
    line = f"{scope['method']} {scope['path']}\n"
    with LEDGER.open("a") as ledger:
        ledger.write(line)
    return LEDGER.read_text().count(line)


def die() -> None:
    """As `kill -9` of the whole replica, in the middle of a request."""
    os.killpg(0, signal.SIGKILL)
