"""Encryption with age (age-encryption.org/v1, X25519): what ``age -d`` reads."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyrage

from insula_ops.backup.errors import BackupFailed, Damaged

_PIECES = 4
"""That wait between the one who writes and the one who encrypts."""
_END = None


def read_recipients(keys: Iterable[str], files: Iterable[str]) -> list[str]:
    """Public keys, from arguments and from files with one a line, as ``age -R`` takes them.

    Raises:
        BackupFailed: one is none.
    """
    found = list(keys)
    for file in files:
        found += _lines(file)
    for key in found:
        if key.startswith("AGE-SECRET-KEY"):
            raise BackupFailed(
                "that is a secret key, and as an argument everybody on the machine has seen it: "
                "make another one. A backup is encrypted to public keys (age1…)."
            )
        try:
            pyrage.x25519.Recipient.from_str(key)
        except pyrage.RecipientError:
            raise BackupFailed(f"{key!r} is no public key of age (age1…)") from None
    return found


def read_identities(files: Iterable[str]) -> list[Any]:
    """Secret keys, from files as ``age-keygen`` writes them.

    Raises:
        BackupFailed: a file cannot be read or has none.
    """
    try:
        return [pyrage.x25519.Identity.from_str(line) for file in files for line in _lines(file)]
    except pyrage.IdentityError:
        raise BackupFailed("an identity file holds what is no secret key of age") from None


class Sealing:
    """Takes pieces, gives what they are encrypted to ``write``, in a thread of its own."""

    def __init__(self, recipients: Iterable[str], write: Callable[[bytes], None]) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(_PIECES)
        self._failure: BaseException | None = None
        self._write = write
        self._rest = memoryview(b"")
        keys = [pyrage.x25519.Recipient.from_str(key) for key in recipients]
        self._thread = threading.Thread(target=self._run, args=(keys,), daemon=True)
        self._thread.start()

    def feed(self, piece: bytes) -> None:
        """
        Raises:
            Exception: what ``write`` raised.
        """
        if self._failure is not None:
            raise self._failure
        self._queue.put(piece)

    def close(self) -> None:
        """Return when all is written."""
        self._queue.put(_END)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self, keys: list[Any]) -> None:
        try:
            pyrage.encrypt_io(self, _Output(self._write), keys)
        except BaseException as error:
            self._failure = error
            while self._queue.get() is not _END:  # let go of whoever feeds
                pass

    def read(self, size: int) -> bytes:
        """For pyrage."""
        if not self._rest:
            piece = self._queue.get()
            if piece is _END:
                self._queue.put(_END)  # for whoever asks again
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)


class _Output:
    """What pyrage takes for a file that it writes to."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, piece: bytes) -> int:
        self._write(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        pass


def opened(pieces: Iterator[bytes], identities: list[Any]) -> Iterator[bytes]:
    """Decrypt as it comes.

    Raises:
        BackupFailed: no key fits.
        Damaged: it is not what was encrypted.
    """
    decrypted: queue.Queue[bytes | BaseException | None] = queue.Queue(64)
    stopped = threading.Event()

    def give(piece: bytes) -> None:
        while not stopped.is_set():
            try:
                decrypted.put(piece, timeout=0.1)
                return
            except queue.Full:
                continue
        raise BackupFailed("stopped")

    def run() -> None:
        ending: BaseException | None = None
        try:
            pyrage.decrypt_io(_Input(pieces), _Output(give), identities)
        except BaseException as error:
            ending = error
        while not stopped.is_set():
            try:
                decrypted.put(ending, timeout=0.1)
                return
            except queue.Full:
                continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while (piece := decrypted.get()) is not None:
            if isinstance(piece, BaseException):
                raise _explained(piece)
            yield piece
    finally:
        stopped.set()
        thread.join()


def unseal(text: bytes, identities: list[Any]) -> bytes:
    return b"".join(opened(iter([text]), identities))


def seal(text: bytes, recipients: Iterable[str]) -> bytes:
    keys = [pyrage.x25519.Recipient.from_str(key) for key in recipients]
    sealed: bytes = pyrage.encrypt(text, keys)
    return sealed


class _Input:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = BytesIO()

    def read(self, size: int) -> bytes:
        while not (taken := self._rest.read(size)):
            if (piece := next(self._pieces, None)) is None:
                return b""
            self._rest = BytesIO(piece)
        return taken


def _explained(error: BaseException) -> BaseException:
    if isinstance(error, BackupFailed):
        return error
    if "no matching keys" in str(error).lower():
        return BackupFailed("none of the identities given can decrypt this backup")
    return Damaged(f"what is encrypted has been changed: {error}")


def _lines(file: str) -> list[str]:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError as error:
        raise BackupFailed(f"{file}: {error.strerror}") from None
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise BackupFailed(f"{file} holds no key")
    return found
