"""Closing a port without a reset for anybody who is already connected.

A listener that is closed resets the connections that the kernel has made and nobody has accepted
yet, and a web server that shuts down closes those on which no request was read yet. A proxy that
has put a write on such a connection cannot know whether it was done, and must not send it again.
"""

import ctypes
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog

log = structlog.get_logger("insula.closing")

_SETTLE_SECONDS = 0.2
"""For the workers to accept those who are connected, and to read what they ask for."""
_ATTACH_FILTER = 26
_ATTACH_REUSEPORT_FILTER = 51
"""SO_ATTACH_FILTER and SO_ATTACH_REUSEPORT_CBPF of <asm-generic/socket.h>, see socket(7)."""
_RETURN = 0x06
"""BPF_RET | BPF_K of <linux/filter.h>: a program that answers a constant."""


@contextmanager
def no_newcomers(host: str, port: int, listeners: int) -> Iterator[None]:
    """Let nobody connect any more to listeners that share a port (SO_REUSEPORT); at the beginning
    of the block they have accepted all who are connected, in it they are to be closed. Who comes
    meanwhile tries again after a second (RFC 6298, section 2.1) and finds the port closed.

    The kernel is told to choose a listener more, which hears nothing. Where it cannot be told,
    nothing happens.
    """
    with ExitStack() as deaf:
        try:
            if sys.platform == "linux":
                _divert(host, port, listeners, deaf)
                time.sleep(_SETTLE_SECONDS)
        except OSError as error:
            deaf.close()
            log.warning("connections may be lost that nobody has accepted", error=str(error))
        yield


def _divert(host: str, port: int, listeners: int, deaf: ExitStack) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # Whenever a listener is closed, the last one takes its place in the kernel's array: so that the
    # one behind the listeners is deaf to the end, there is one more of these than of those.
    for _ in range(listeners + 1):
        last = deaf.enter_context(socket.socket(family, kind, protocol))
        last.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        last.bind(address)
        _answer_always(last, _ATTACH_FILTER, 0)  # bytes of each packet that are let through
        last.listen(1)
    _answer_always(last, _ATTACH_REUSEPORT_FILTER, listeners)


def _answer_always(listener: socket.socket, option: int, answer: int) -> None:
    program = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN, 0, 0, answer))
    listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("HL", 1, ctypes.addressof(program)))
