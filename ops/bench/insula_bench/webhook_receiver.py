"""A server that takes webhooks as fast as Python can.

``python -m insula_bench.webhook_receiver PORT``; ``GET`` answers how many have arrived and when the
last one did, on the system's monotonic clock.
"""

import asyncio
import sys
import time

_TAKEN = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
_count = 0
_last = 0.0


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global _count, _last
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET"):
                said = f"{_count} {_last}".encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(said) + said)
                continue
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            _count, _last = _count + 1, time.monotonic()
            writer.write(_TAKEN)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
