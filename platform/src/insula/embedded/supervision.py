"""Keeping the parts of ``insula up`` alive until somebody asks it to stop."""

import signal
import threading
import time
from collections.abc import Callable

from insula.embedded.child import trim_log
from insula.embedded.errors import ServerFailed
from insula.embedded.postgres import Postgres
from insula.embedded.redis import Redis
from insula.embedded.servers import EmbeddedServers
from insula.embedded.web import Own, Web, Worker

_LOOK_SECONDS = 0.25
_LONGEST_PAUSE = 30.0
_GOOD_AFTER = 60.0
"""Seconds that a part must live for its earlier failures to be forgotten."""

Say = Callable[[str], None]


class StopRequest:
    """SIGINT and SIGTERM as one wish.

    While things are starting the first signal interrupts whatever runs. Later ones change nothing:
    stopping is under way and ends by itself.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._interrupts = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        first = not self._asked.is_set()
        self._asked.set()
        if first and self._interrupts:
            raise KeyboardInterrupt

    def only_note(self) -> None:
        """From now on a signal is noted and interrupts nothing."""
        self._interrupts = False

    def within(self, seconds: float) -> bool:
        """Wait so long at most; whether to stop."""
        return self._asked.wait(seconds)


class Part:
    """One process to keep alive, with growing pauses between attempts that fail."""

    def __init__(self, supervised: Postgres | Redis | Own) -> None:
        self._supervised = supervised
        self._failures = 0
        self._started = time.monotonic()
        self._next = 0.0

    def look(self, say: Say) -> None:
        """Start the process again if it ended and the pause is over."""
        trim_log(self._supervised.log)
        process, now = self._supervised.process, time.monotonic()
        if process is None or process.poll() is None or now < self._next:
            return
        if now - self._started > _GOOD_AFTER:
            self._failures = 0
        self._started = now
        self._next = now + min(_LONGEST_PAUSE, 0.5 * 2**self._failures)
        self._failures += 1
        say(f"{self._supervised.name} ended ({process.returncode}); starting it again")
        self._revive(say)

    def _revive(self, say: Say) -> None:
        try:
            self._supervised.start()
            if not isinstance(self._supervised, Own):  # which is not ready before the others are
                self._supervised.wait_ready()
        except (ServerFailed, OSError) as error:
            say(f"{self._supervised.name}: {error}")


def keep_alive(
    servers: EmbeddedServers, web: Web, worker: Worker, stop: StopRequest, say: Say
) -> None:
    """Watch all parts until somebody asks to stop."""
    parts = [Part(supervised) for supervised in (*servers.running, web, worker)]
    while not stop.within(_LOOK_SECONDS):
        for part in parts:
            part.look(say)
