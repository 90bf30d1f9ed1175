"""How long a migration will still take, from how fast it has been."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

_WINDOW_SECONDS = 5.0
_SETTLED_SECONDS = 1.0
"""Nothing is said of a module that has been under way for less: it would be a guess."""


class Pace:
    """The rest of a module takes as long as its last five seconds say. A module that has not begun
    takes as long as it did at the canaries, corrected by how much faster than there the others are
    (many tenants at a time); without canary nothing is known of it, and nothing is said."""

    def __init__(self, modules: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.left = Counter(modules)
        """Tenants that each module still has to do."""
        self.done = 0
        self._clock = clock
        self._started = clock()
        self._trials: dict[str, float] = {}
        self._found: dict[str, float] = {}
        self._module = ""
        self._marks: deque[tuple[float, int]] = deque()

    @property
    def total(self) -> int:
        return self.done + self.left.total()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._started

    def try_out(self, module: str, seconds: float) -> None:
        """A canary took so long; the slowest one counts."""
        self._trials[module] = max(seconds, self._trials.get(module, 0.0))

    def begin(self, module: str) -> None:
        """The tenants that follow are done for this module."""
        self._module = module
        self._marks = deque([(self._clock(), 0)])

    def advance(self, module: str, tenants: int = 1) -> None:
        """So many tenants are through with a module, whether it worked or not."""
        self.left[module] = max(0, self.left[module] - tenants)
        self.done += tenants
        if module != self._module:
            return
        now = self._clock()
        self._marks.append((now, self._marks[-1][1] + tenants))
        while now - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.popleft()
        first, count = self._marks[0]
        if now - first >= _SETTLED_SECONDS or not self.left[module]:
            self._found[module] = (now - first) / max(1, self._marks[-1][1] - count)

    def seconds_left(self) -> float | None:
        """None while nobody can know."""
        total = 0.0
        for module, tenants in self.left.items():
            if tenants:
                each = self._found.get(module)
                if each is None and (each := self._guess(module)) is None:
                    return None
                total += tenants * each
        return total

    def _guess(self, module: str) -> float | None:
        known = [name for name in self._found if self._trials.get(name)]
        if module == self._module or module not in self._trials or not known:
            return None
        ratios = [self._found[name] / self._trials[name] for name in known]
        return self._trials[module] * sum(ratios) / len(ratios)


def in_words(seconds: float | None) -> str:
    """``about 12 s left``, or that nobody knows yet."""
    if seconds is None:
        return "time left not known yet"
    if seconds < 100:
        return f"about {max(1, round(seconds))} s left"
    return f"about {round(seconds / 60)} min left"
