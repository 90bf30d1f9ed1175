"""What fan-out is held against: a bare broadcast server on PyPI ``websockets``, as its
documentation shows it. ``python -m insula_bench.broadcast PORT``: what one client says, all get."""

import asyncio
import logging
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

_clients: set[ServerConnection] = set()


async def _handle(connection: ServerConnection) -> None:
    _clients.add(connection)
    try:
        async for message in connection:
            broadcast(_clients, message)
    finally:
        _clients.discard(connection)


async def _main(port: int) -> None:
    async with serve(_handle, "127.0.0.1", port, compression=None, backlog=2048):
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.disable()  # clients go without a word
    uvloop.run(_main(int(sys.argv[1])))
