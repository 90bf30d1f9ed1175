"""SIGTERM ends a command as an interrupt does: what it began is tidied up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """Meanwhile SIGTERM raises SystemExit, with the code that a shell would give it."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)
