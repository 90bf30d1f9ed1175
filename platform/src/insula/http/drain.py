"""Whether this replica is about to go (`insula serve` on SIGTERM)."""

import os
import time
from pathlib import Path

FLAG = "INSULA_DRAIN_FILE"
"""Environment variable: once this file exists, the replica is being drained."""
_SECONDS = 0.2


class Drain:
    """Looks for the flag file five times a second at most."""

    def __init__(self) -> None:
        self._path = os.environ.get(FLAG, "")
        self._looked = float("-inf")
        self._active = False

    @property
    def active(self) -> bool:
        """Readiness turns 503, and every answer asks for its connection to be closed, so that no
        proxy sends a request down a connection that is about to end."""
        if self._active or not self._path:
            return self._active
        now = time.monotonic()
        if now - self._looked >= _SECONDS:
            self._looked = now
            self._active = Path(self._path).exists()
        return self._active
