"""The bare file server that files are held against: ASGI on the same Granian, and nothing in
between. POST writes the body to a file as it comes, GET has the server send it."""

import os
from pathlib import Path
from typing import Any

FOLDER = "BENCH_FILES_FOLDER"
_OK = {"type": "http.response.start", "status": 200}


def file_server() -> Any:
    folder = Path(os.environ[FOLDER])

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if scope["method"] == "POST":
            await _store(folder / path.rpartition("/")[2], receive)
        elif length := _length(file := folder / path.rpartition("/")[2]):
            await send({**_OK, "headers": [(b"content-length", str(length).encode())]})
            await send({"type": "http.response.pathsend", "path": str(file)})
            return
        await send({**_OK, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})

    return app


async def _store(path: Path, receive: Any) -> None:
    with path.open("wb") as file:
        more = True
        while more:
            message = await receive()
            file.write(message.get("body", b""))
            more = message.get("more_body", False)


def _length(path: Path) -> int:
    """0 where there is no such file."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
