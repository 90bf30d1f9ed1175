"""Threads that share work. Kernels hold no GIL, so that they run at the same time."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Crew:
    """The thread that asks and ``threads`` - 1 helpers."""

    def __init__(self, threads: int) -> None:
        self.helpers = threads - 1
        self.pool = ThreadPoolExecutor(self.helpers) if self.helpers else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=True)

    def each(self, work: Callable[[int], T], pieces: Sequence[int]) -> list[T]:
        """The answers of ``work(0)`` to ``work(len(pieces) - 1)``; whoever is free takes the next
        of ``pieces``, which has those numbers in any order: with the longest first, all are done
        at nearly the same time. A future for each would cost more than many of them do."""
        if not self.pool:
            return [work(i) for i in range(len(pieces))]
        left, answers = deque(pieces), dict[int, T]()

        def take() -> None:
            while left:
                try:
                    i = left.popleft()
                except IndexError:
                    return
                answers[i] = work(i)

        helping = [self.pool.submit(take) for _ in range(min(self.helpers, len(pieces) - 1))]
        take()
        for each in helping:
            if not each.cancel():
                each.result()
        return [answers[i] for i in range(len(pieces))]

    def meanwhile(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin something that a helper does while the asker goes on; calling the answer waits for
        it. Without helpers it is done then."""
        if not self.pool:
            return work
        begun: Future[T] = self.pool.submit(work)
        return begun.result
