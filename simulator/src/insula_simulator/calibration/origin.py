"""An origin for calibration: answers any path with as many bytes as its last part says.

``python -m insula_simulator.calibration.origin`` prints its port and ends with its standard input.
"""

import asyncio
import sys

PIECE = bytes(1 << 18)


class _Answering(asyncio.Protocol):
    """One connection: requests in order, bodies in pieces as fast as they are taken."""

    def __init__(self) -> None:
        self.heard = b""
        self.owed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self._answer()

    def pause_writing(self) -> None:
        self.is_open = False

    def resume_writing(self) -> None:
        self.is_open = True
        self._answer()

    def _answer(self) -> None:
        while self.is_open:
            if not self.owed:
                head, end, rest = self.heard.partition(b"\r\n\r\n")
                if not end:
                    return
                self.heard = rest
                self._begin(head)
            piece = PIECE[: self.owed] if self.owed < len(PIECE) else PIECE
            self.owed -= len(piece)
            if piece:
                self.transport.write(piece)

    def _begin(self, head: bytes) -> None:
        size = head.split(b" ", 2)[1].rpartition(b"/")[2]
        self.owed = int(size)
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % size)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
