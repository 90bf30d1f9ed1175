"""Migrating a fleet: a column and an index at every tenant, alone and beside people who work."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import NamedTuple

from insula.module import discover
from insula.tenancy import migrations
from insula.tenancy.fleet import Options, Report, migrate_fleet
from insula.tenancy.migrations import MigrationFile

from insula_bench import pacing
from insula_bench.installation import Installation
from insula_bench.pacing import Sample, Traffic
from insula_bench.place import Place
from insula_bench.server import Server

_MODULE = "notes"
_STEPS = {
    "a column": "ALTER TABLE notes ADD COLUMN bench_{n} INTEGER;",
    "an index": "CREATE INDEX ix_notes_bench_{n} ON notes (title);",
}
_MOST = 40
"""Migrations, where there are few tenants."""
_READS_OF_A_WRITE = 4


class MigrationFailed(Exception):
    """It did not get through: there is nothing to measure."""


class Guess(NamedTuple):
    """What the progress bar said when half of the tenants were done, and what came of it."""

    said: str
    took: float


class Step(NamedTuple):
    name: str
    tenants: int
    seconds: float
    """Of one migration: the median, if there were several."""
    guess: Guess | None
    before: list[Sample]
    during: list[Sample]
    times: int = 1

    @property
    def errors(self) -> int:
        return sum(not 200 <= sample.status < 300 for sample in self.during)


class Fleet(NamedTuple):
    tenants: int
    cells: int
    rate: float
    options: Options
    span: float
    """Seconds that were watched, before and during."""
    alone: list[Step]
    beside: list[Step]


def measure(place: Place, *, rate: float, options: Options, span: float) -> Fleet:
    installation = place.crowd.installation
    alone = [_migrate(installation, name, options) for name in _STEPS]
    beside = []
    with place.serving() as server:
        for name in _STEPS:
            beside.append(_beside_people(place, server, name, rate, options, span))
    return Fleet(place.crowd.tenants, place.crowd.cells, rate, options, span, alone, beside)


def _beside_people(
    place: Place, server: Server, name: str, rate: float, options: Options, span: float
) -> Step:
    """One migration after the other, until they have taken so many seconds together."""
    requests = place.crowd.reads() * _READS_OF_A_WRITE + place.crowd.writes()
    spans: list[tuple[float, float]] = []
    steps: list[Step] = []
    with Traffic(server.port, requests, rate=rate) as traffic:
        time.sleep(2 * span)  # the first half warms up, the second one counts
        first = time.monotonic()
        while sum(end - start for start, end in spans) < span and len(spans) < _MOST:
            started = time.monotonic()
            steps.append(_migrate(place.crowd.installation, name, options))
            spans.append((started, time.monotonic()))
        time.sleep(1.0)
        samples = traffic.stop()
    counted = first - span
    return steps[0]._replace(
        seconds=median(step.seconds for step in steps),
        times=len(steps),
        before=[sample for sample in samples if counted <= sample.at < first],
        during=[s for s in samples if any(start <= s.at < end for start, end in spans)],
    )


def _migrate(installation: Installation, name: str, options: Options) -> Step:
    """As `insula db migrate` does it, in this process."""
    halves: list[tuple[float, str]] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if not halves and done >= total / 2 > 0:
            halves.append((time.monotonic(), note))

    with _one_file_more(_STEPS[name]):
        report: Report = asyncio.run(
            migrate_fleet(installation.settings, discover(), progress, options)
        )
    ended = time.monotonic()
    if not report.succeeded or not report.changed:
        raise MigrationFailed(repr(report)[:2000])
    guess = Guess(halves[0][1], ended - halves[0][0]) if halves else None
    return Step(name, report.tenants, report.seconds, guess, [], [])


@contextmanager
def _one_file_more(sql: str) -> Iterator[None]:
    """The module as its next version brings it: with another migration."""
    files = migrations.read(_MODULE, discover()[_MODULE].migrations)
    version = files[-1].version + 1
    text = sql.format(n=version)
    checksum = hashlib.sha256(text.encode()).hexdigest()
    file = MigrationFile(_MODULE, version, f"{version:04}_bench.sql", text, checksum)
    migrations._read[_MODULE] = (*files, file)
    yield


def p99(samples: list[Sample]) -> float:
    return pacing.percentile(samples, 0.99)
