"""One channel on one connection: nothing is missing, and nothing comes twice."""

import time
from collections.abc import Callable, Iterable

from insula.realtime.directory import Place
from insula.realtime.wire import START, Key, Message


class Subscription:
    """A listener at the hub. From the moment that it is attached, messages are held back; once it
    is known where the client begins, :meth:`follow` lets those through that come after."""

    def __init__(
        self,
        place: Place,
        key: str,
        push: Callable[[Message], None],
        on_lost: Callable[["Subscription"], None],
    ) -> None:
        self.place = place
        self.key = key
        """Of the channel's log."""
        self.position: Key = START
        """What the client has had; what it sends to resume."""
        self.authorized = time.monotonic()
        self.present = False
        """Whether others were told that it is here."""
        self._push = push
        self._on_lost = on_lost
        self._held: list[Message] | None = []

    def offer(self, message: Message) -> None:
        if self._held is not None:
            self._held.append(message)
        elif message.key is None:
            self._push(message)
        elif message.key > self.position:
            self.position = message.key
            self._push(message)

    def lose(self) -> None:
        """Messages were lost with the log; hold back what comes until the client has begun anew."""
        if self._held is None:
            self._held = []
            self._on_lost(self)

    def follow(self, position: Key, messages: Iterable[Message]) -> None:
        """Go on from a position with these messages, and with what was held back."""
        self.position = position
        held, self._held = self._held or [], None
        for message in (*messages, *held):
            self.offer(message)
