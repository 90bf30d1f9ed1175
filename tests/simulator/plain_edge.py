"""One edge in plain Python: an LRU of a dictionary, with freshness and purges, request by request.
It shares nothing with the simulator but what a key looks like."""

from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Stored:
    size: int
    began: float
    ready: float
    expires: float


@dataclass
class Purged:
    """``matches`` is a set of keys, or None for all."""

    at: float
    hard: bool
    matches: set[int] | None


@dataclass
class PlainEdge:
    """``fetch`` is what every fetch takes; nothing fails."""

    capacity: int
    fetch: float
    ttls: dict[int, float]
    """By class."""
    while_revalidate: float
    passed: set[int]
    """Classes that are not cached."""
    purges: list[Purged]
    held: "OrderedDict[int, Stored]" = field(default_factory=OrderedDict)
    fates: Counter[str] = field(default_factory=Counter)

    def play(self, requests: Iterable[tuple[int, int, float]]) -> None:
        """Keys, sizes and times."""
        waiting = sorted(self.purges, key=lambda purge: purge.at)
        for key, size, time in requests:
            while waiting and waiting[0].at <= time:
                self._purge(waiting.pop(0))
            self.fates[self._ask(key, size, time)] += 1

    def _purge(self, purge: Purged) -> None:
        for key, each in self.held.items():
            if purge.matches is not None and key not in purge.matches:
                continue
            if purge.hard:
                each.expires = each.ready = -1.0
                each.began = -1.0
            elif each.ready >= 0:
                each.expires = min(each.expires, purge.at)

    def _ask(self, key: int, size: int, time: float) -> str:
        ttl = self.ttls[key >> 54]
        if key >> 54 in self.passed:
            return "pass"
        found = self.held.get(key)
        if found is None:
            return self._store(key, size, time, ttl)
        self.held.move_to_end(key)
        if found.began < 0:
            self.held[key] = Stored(found.size, time, time + self.fetch, time + self.fetch + ttl)
            return "miss"
        if time < found.ready:
            return "collapsed"
        if time < found.expires:
            return "hit"
        stale = time - found.expires < self.while_revalidate
        found.began, found.expires = time, time + self.fetch + ttl
        if stale:
            return "stale"
        found.ready = time + self.fetch
        return "revalidated"

    def _store(self, key: int, size: int, time: float, ttl: float) -> str:
        if size > self.capacity:
            return "miss"
        while sum(each.size for each in self.held.values()) + size > self.capacity:
            self.held.popitem(last=False)
        self.held[key] = Stored(size, time, time + self.fetch, time + self.fetch + ttl)
        return "miss"
