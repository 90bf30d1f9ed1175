"""Checking texts in other processes, a few at a time, each for so long and no longer."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

import msgspec
from insula.http.problem import Unavailable

from insula_tenants.notes.errors import TextTooHard
from insula_tenants.notes.grammar.child import Finding, Request

SECONDS = 20.0
"""A text of the largest size takes 4 s on a quiet machine, starting the process 1.5."""
_PROCESSES = 2
_WAITING = 20
_LINE = 64 << 20
_decode = msgspec.json.Decoder(list[Finding]).decode


class Checker:
    """Processes that check, started when they are first needed. One per event loop."""

    def __init__(self, *, processes: int = _PROCESSES, seconds: float = SECONDS) -> None:
        self._free = asyncio.Semaphore(processes)
        self._idle: list[Process] = []
        self._waiting = 0
        self._seconds = seconds

    async def check(self, request: Request) -> list[Finding]:
        """What the rules find in a text, from its beginning to its end.

        Raises:
            TextTooHard: it takes too long, or more memory than it may.
            Unavailable: too many others wait already.
        """
        if self._waiting >= _WAITING:
            raise Unavailable("Many texts are being checked.", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            async with self._free:
                return await self._ask(request)
        finally:
            self._waiting -= 1

    async def _ask(self, request: Request) -> list[Finding]:
        process = await self._process()
        try:
            async with asyncio.timeout(self._seconds):
                findings = await _exchange(process, request)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError) as error:
            await _kill(process)
            raise TextTooHard from error
        except BaseException:
            await _kill(process)
            raise
        self._idle.append(process)
        return findings

    async def _process(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "insula_tenants.notes.grammar.child",
            stdin=PIPE,
            stdout=PIPE,
            limit=_LINE,
            env={},  # it reads strangers' texts: it needs to know no secret
        )

    async def close(self) -> None:
        while self._idle:
            await _kill(self._idle.pop())


async def _exchange(process: Process, request: Request) -> list[Finding]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(request) + b"\n")
    await process.stdin.drain()
    return _decode(await process.stdout.readuntil(b"\n"))


async def _kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


_checkers: dict[asyncio.AbstractEventLoop, Checker] = {}


def checker() -> Checker:
    """The process's own; its children end with it, since their pipe closes."""
    loop = asyncio.get_running_loop()
    found = _checkers.get(loop)
    if found is None:
        found = _checkers[loop] = Checker()
    return found
