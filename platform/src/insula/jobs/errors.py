"""What a job may raise to say how its failure is to be taken."""

from datetime import timedelta


class GiveUp(Exception):
    """Trying again is of no use: the job is a dead letter at once. The message says why."""


class TryAgain(Exception):
    """Not now. The message says why; ``after`` overrides the job's own pause."""

    def __init__(self, reason: str, *, after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.after = after
