"""The logs of channels in Redis: a stream each, from which whoever comes back is served.

A log exists only while somebody watches (or did within the hour): it begins when a channel is first
watched, and what is published on a channel without a log is not kept at all.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import hiredis

from insula.http.redis_line import RedisLine
from insula.realtime.wire import Key, Message, id_of, key_of, logged


class Script:
    """A Lua script; :data:`SCRIPTS` are loaded whenever a connection is made."""

    def __init__(self, name: str) -> None:
        self.text = files("insula.realtime").joinpath(name).read_text()
        self._sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: RedisLine, keys: Sequence[str], *arguments: str | bytes) -> Any:
        """Run it.

        Raises:
            RedisDown: Redis cannot be asked.
        """
        rest = (str(len(keys)), *keys, *arguments)
        try:
            return await redis.call("EVALSHA", self._sha, *rest)
        except hiredis.ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):  # somebody flushed the scripts
                raise
            return await redis.call("EVAL", self.text, *rest)


OPEN, PUBLISH, PRESENCE, SEAT = (
    Script(f"{name}.lua") for name in ("open", "publish", "presence", "seat")
)
SCRIPTS = tuple(script.text for script in (OPEN, PUBLISH, PRESENCE, SEAT))


def prefix_of(tenant: str) -> str:
    """What the names of a tenant's keys begin with; the braces keep them on one node of a
    cluster."""
    return f"live:{{{tenant}}}:"


@dataclass(frozen=True)
class Opened:
    """Where a log stands."""

    last: Key
    found: bool
    """Whether the position that was asked about is in the log, so that nothing is missing."""
    messages: list[Message]
    """What came after it."""

    @property
    def size(self) -> int:
        return sum(message.size for message in self.messages)


class Logs:
    """Reads them. ``length`` messages are kept of each, for ``seconds`` after the last look."""

    def __init__(self, redis: RedisLine, *, length: int, seconds: int) -> None:
        self._redis = redis
        self._milliseconds = str(seconds * 1000)
        self._most = str(length * 2)  # trimming is approximate

    async def open(self, key: str, channel: str, after: Key | None) -> Opened:
        """Begin the log if there is none, and read it from a position.

        Raises:
            RedisDown: Redis cannot be asked.
        """
        position = "" if after is None else id_of(after)
        last, found, entries = await OPEN.run(
            self._redis, (key,), self._milliseconds, position, self._most
        )
        return Opened(_key(last), found == 1, [m for e in entries for m in _messages(channel, e)])


def _messages(channel: str, entry: Any) -> list[Message]:
    entry_id, (field, body) = entry
    return [logged(_key(entry_id), channel, body.decode())] if field == b"m" else []


def _key(raw: bytes) -> Key:
    key = key_of(raw.decode())
    assert key is not None
    return key
