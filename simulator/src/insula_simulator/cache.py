"""One cache: four eviction policies, each exact to libCacheSim's definition of it.

What they share: a miss larger than the whole cache is not stored; an object keeps the size it was
stored with, even when a later request of it says otherwise; room is made before storing.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict

from insula_simulator.trace import Key


class Cache(ABC):
    """Objects that fit together in ``capacity`` bytes."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("a cache holds at least one byte")
        self.capacity = capacity
        self.used = 0

    def access(self, key: Key, size: int) -> bool:
        """Ask for an object; a miss stores it. True is a hit."""
        if self._touch(key):
            return True
        if size <= self.capacity:
            while self.used + size > self.capacity:
                self.used -= self._evict()
            self._store(key, size)
            self.used += size
        return False

    @abstractmethod
    def _touch(self, key: Key) -> bool:
        """Note a hit; False when the object is not here."""

    @abstractmethod
    def _store(self, key: Key, size: int) -> None: ...

    @abstractmethod
    def _evict(self) -> int:
        """Drop one object and answer its size. There is one: room is only made in a used cache."""


class Fifo(Cache):
    """Evicts what was stored first."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._sizes: OrderedDict[Key, int] = OrderedDict()  # next to be evicted first

    def _touch(self, key: Key) -> bool:
        return key in self._sizes

    def _store(self, key: Key, size: int) -> None:
        self._sizes[key] = size

    def _evict(self) -> int:
        return self._sizes.popitem(last=False)[1]


class Lru(Fifo):
    """Evicts what was used least recently."""

    def _touch(self, key: Key) -> bool:
        if key not in self._sizes:
            return False
        self._sizes.move_to_end(key)
        return True


class Clock(Fifo):
    """FIFO with one bit: an object that was hit since the hand last passed gets another round."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._hit: set[Key] = set()

    def _touch(self, key: Key) -> bool:
        if key not in self._sizes:
            return False
        self._hit.add(key)
        return True

    def _evict(self) -> int:
        while True:
            key, size = self._sizes.popitem(last=False)
            if key not in self._hit:
                return size
            self._hit.remove(key)
            self._sizes[key] = size


class _Node:
    """An object of a SIEVE cache in the ring from old to new; the ring's root is no object."""

    __slots__ = ("key", "newer", "older", "size", "visited")

    def __init__(self, key: Key, size: int) -> None:
        self.key = key
        self.size = size
        self.visited = False
        self.newer = self
        self.older = self


class Sieve(Cache):
    """SIEVE (Zhang et al., NSDI 2024): CLOCK whose survivors stay where they are.

    The hand walks from old to new, clears the visited bits it meets, evicts the first object
    without one, and goes on from there next time.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._nodes: dict[Key, _Node] = {}
        self._root = _Node("", 0)
        self._hand = self._root

    def _touch(self, key: Key) -> bool:
        node = self._nodes.get(key)
        if node is None:
            return False
        node.visited = True
        return True

    def _store(self, key: Key, size: int) -> None:
        node = self._nodes[key] = _Node(key, size)
        root, newest = self._root, self._root.older
        node.older, node.newer = newest, root
        newest.newer = root.older = node

    def _evict(self) -> int:
        node = self._hand
        while node is self._root or node.visited:
            node.visited = False
            node = node.newer
        node.older.newer, node.newer.older = node.newer, node.older
        self._hand = node.newer
        del self._nodes[node.key]
        return node.size


POLICIES: dict[str, type[Cache]] = {"lru": Lru, "fifo": Fifo, "clock": Clock, "sieve": Sieve}
