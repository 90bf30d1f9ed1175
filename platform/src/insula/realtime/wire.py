"""Messages as clients get them, encoded once however many clients there are."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

Key = tuple[int, int]
"""A message's id as numbers, so that ids can be compared."""

START: Key = (0, 0)
_ID = re.compile(r"(\d{1,18})-(\d{1,18})")


def key_of(text: str) -> Key | None:
    """The id that a client sends back; None if it is none of ours."""
    match = _ID.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]))


def id_of(key: Key) -> str:
    return f"{key[0]}-{key[1]}"


class Message:
    """One message of a channel. ``key`` is None for what the log does not keep."""

    __slots__ = ("_event", "channel", "key", "size", "text")

    def __init__(self, key: Key | None, channel: str, text: str) -> None:
        self.key = key
        self.channel = channel
        self.text = text
        """The whole JSON document."""
        self.size = len(text)
        self._event: bytes | None = None

    @property
    def event(self) -> bytes:
        """The same as a server-sent event, without its ``id``; JSON has no line breaks."""
        if self._event is None:
            self._event = b"data: " + self.text.encode() + b"\n\n"
        return self._event


def logged(key: Key, channel: str, body: str) -> Message:
    """A message from the log, whose body is a JSON object without ``id`` and ``channel``. Channel
    names need no escaping: see :mod:`insula.realtime.types`."""
    return Message(key, channel, f'{{"id":"{id_of(key)}","channel":"{channel}",{body[1:]}')


def passing(channel: str, body: str) -> Message:
    """A message that the log does not keep."""
    return Message(None, channel, f'{{"channel":"{channel}",{body[1:]}')


def told(kind: str, channel: str = "", key: Key | None = None, **fields: Any) -> Message:
    """Something that the service itself tells one client: its types have no dot."""
    document: dict[str, Any] = {"type": kind}
    if channel:
        document["channel"] = channel
    if key is not None:
        document["id"] = id_of(key)
    return Message(key, channel, msgspec.json.encode({**document, **fields}).decode())


def refused(channel: str, problem: bytes) -> Message:
    """Problem details about something that a client asked for."""
    return told("error", channel, problem=msgspec.Raw(problem))


def joint_id(keys: Sequence[Key]) -> str:
    """One ``Last-Event-ID`` for several channels: their positions, in the order of the request."""
    return ",".join(id_of(key) for key in keys)


def split_id(text: str, count: int) -> list[Key | None]:
    """The positions in a ``Last-Event-ID``; None for each where it is not about these channels."""
    keys = [key_of(part) for part in text.split(",")] if len(text) <= 40 * count else []
    return keys if len(keys) == count else [None] * count
