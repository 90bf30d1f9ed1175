"""Mail that is kept instead of sent, for development: files in a folder of the installation's home,
the newest hundred, shared by web and worker."""

import asyncio
import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import msgspec

from insula.db.ids import new_id
from insula.settings import Settings

_KEEP: Final = 100
_SUFFIX: Final = ".eml"


def captured_in(settings: Settings) -> Path:
    """Where web and worker meet."""
    return settings.home / "mail"


class Captured(msgspec.Struct, frozen=True):
    """One message."""

    id: str
    to: str
    subject: str
    date: str
    text: str
    html: str
    source: str


class CapturedMail:
    """A transport that sends nothing, and the messages that it was given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        await asyncio.to_thread(self._write, message.as_bytes())

    def _write(self, source: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._folder / f"{new_id()}.part"
        unfinished.write_bytes(source)
        unfinished.rename(unfinished.with_suffix(_SUFFIX))
        for old in self._names()[_KEEP:]:
            (self._folder / f"{old}{_SUFFIX}").unlink(missing_ok=True)

    def _names(self) -> list[str]:
        """The newest first: ids are ordered by time."""
        return sorted((path.stem for path in self._folder.glob(f"*{_SUFFIX}")), reverse=True)

    async def list(self) -> list[Captured]:
        return await asyncio.to_thread(lambda: [self._read(name) for name in self._names()])

    async def find(self, name: str) -> Captured | None:
        """None if there is no such message, or not any more."""
        names = await asyncio.to_thread(self._names)
        return await asyncio.to_thread(self._read, name) if name in names else None

    def _read(self, name: str) -> Captured:
        source = (self._folder / f"{name}{_SUFFIX}").read_bytes()
        message = email.message_from_bytes(source, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return Captured(
            name,
            str(message["To"]),
            str(message["Subject"]),
            str(message["Date"]),
            _body(message, "plain"),
            _body(message, "html"),
            source.decode("utf-8", "replace"),
        )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""
