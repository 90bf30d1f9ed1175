"""Migrating a fleet: a column and an index at every tenant, alone and beside people who work."""

import asyncio
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from insula.module import discover
from insula.tenancy import migrations
from insula.tenancy.fleet import Options, Report, migrate_fleet
from insula.tenancy.migrations import MigrationFile

from insula_bench import pacing, scale
from insula_bench.crowd import Crowd
from insula_bench.installation import Installation
from insula_bench.pacing import Sample, Traffic
from insula_bench.server import Server

_MODULE = "notes"
_STEPS = {
    "a column": "ALTER TABLE notes ADD COLUMN bench_{n} INTEGER;",
    "an index": "CREATE INDEX ix_notes_bench_{n} ON notes (title);",
}
_BEFORE_SECONDS = 20.0
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
    guess: Guess | None
    before: list[Sample]
    during: list[Sample]

    @property
    def errors(self) -> int:
        return sum(not 200 <= sample.status < 300 for sample in self.during)


class Fleet(NamedTuple):
    tenants: int
    fill_seconds: float
    rate: float
    workers: int
    alone: list[Step]
    beside: list[Step]


def measure(installation: Installation, *, tenants: int, rate: float, workers: int) -> Fleet:
    crowd = Crowd(installation, tenants)
    alone = [_migrate(installation, name, workers) for name in _STEPS]
    log = installation.folder / "web.log"
    environment = installation.environment | {"INSULA_ACCESS_LOG": "0"}
    beside = []
    with Server("insula.app:create_app", environment, log) as server:
        scale.visit_all(server, crowd.reads())
        for name in _STEPS:
            beside.append(_beside_people(installation, crowd, server, name, rate, workers))
    return Fleet(tenants, crowd.seconds, rate, workers, alone, beside)


def _beside_people(
    installation: Installation,
    crowd: Crowd,
    server: Server,
    name: str,
    rate: float,
    workers: int,
) -> Step:
    requests = crowd.reads() * _READS_OF_A_WRITE + crowd.writes()
    with Traffic(server.port, requests, rate=rate) as traffic:
        time.sleep(_BEFORE_SECONDS)  # the first half warms up, the second one counts
        started = time.monotonic()
        step = _migrate(installation, name, workers)
        ended = time.monotonic()
        time.sleep(1.0)
        samples = traffic.stop()
    counted = started - _BEFORE_SECONDS / 2
    return step._replace(
        before=[sample for sample in samples if counted <= sample.at < started],
        during=[sample for sample in samples if started <= sample.at < ended],
    )


def _migrate(installation: Installation, name: str, workers: int) -> Step:
    """As `insula db migrate` does it, in this process."""
    halves: list[tuple[float, str]] = []

    def progress(what: str, done: int, total: int, note: str = "") -> None:
        if not halves and done >= total / 2 > 0:
            halves.append((time.monotonic(), note))

    with _one_file_more(_STEPS[name]):
        options = Options(workers=workers)
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
