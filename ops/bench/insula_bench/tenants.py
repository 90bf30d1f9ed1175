"""Many tenants: one installation is filled step by step, and at each size it is measured."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from insula.tenancy.fleet import Options

from insula_bench import (
    fleet,
    fleet_report,
    provisioning,
    provisioning_at,
    provisioning_report,
    serving,
    serving_report,
)
from insula_bench.place import Place, opened
from insula_bench.provisioning import Provisioning
from insula_bench.serving import Serving
from insula_bench.timing import Times


class Plan:
    """How much is measured."""

    def __init__(
        self,
        *,
        sizes: Sequence[int],
        seconds: float,
        rounds: int,
        times: int,
        rate: float,
        migration: Options,
        span: float,
        soak_minutes: float,
        of_a_cell: int,
    ) -> None:
        self.of_a_cell = of_a_cell
        """Tenants of a database …"""
        self.sizes = sizes
        self.seconds = seconds
        """Of a turn of serving …"""
        self.rounds = rounds
        self.times = times
        """… of provisioning …"""
        self.rate = rate
        """… requests a second beside a migration …"""
        self.migration = migration
        self.span = span
        """Seconds to watch, before a migration and during it."""
        self.soak_minutes = soak_minutes


class Bench:
    """What is measured is handed to ``publish`` at once, a section of RESULTS.md at a time, so that
    a run that is broken off has not been for nothing; some sections are handed over again when they
    have become longer."""

    def __init__(
        self, plan: Plan, publish: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        self._plan = plan
        self._publish = publish
        self._tell = tell
        self._started = time.monotonic()
        self._serving: list[serving.Size] = []
        self._provisioning: list[provisioning_at.Size] = []
        self._over_http: list[Times] = []

    def measure(self, folder: Path) -> None:
        sizes = self._plan.sizes
        with (
            opened(folder / "small", sizes[0]) as small,
            opened(folder / "grown", sizes[-1], self._plan.of_a_cell) as it,
        ):
            small.grow(sizes[0])
            for size in sizes:
                self._say(f"growing to {size:,} tenants")
                it.grow(size)
                self._serve(small, it)
                self._provision(small, it)
            self._migrate(it)
            self._soak(it)
            self._say("done")

    def _say(self, what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self._tell(f"  {minutes:02}:{seconds:02} {what}")

    def _serve(self, small: Place, it: Place) -> None:
        self._say(f"serving {it.crowd.tenants:,} tenants")
        plan, shape = self._plan, it.crowd.shape
        self._serving.append(serving.measure(small, it, seconds=plan.seconds, rounds=plan.rounds))
        found = Serving(
            small.crowd.tenants,
            str(small.layout),
            str(it.layout),
            shape.tables,
            shape.indexes,
            self._serving,
        )
        self._publish(serving_report.section(found))

    def _provision(self, small: Place, it: Place) -> None:
        self._say(f"provisioning beside {it.crowd.tenants:,} tenants")
        times = self._plan.times
        if not self._over_http:
            self._over_http = provisioning.over_http(small.crowd.installation, times)
        self._provisioning.append(provisioning_at.measure(small.crowd, it.crowd, times=times))
        found = Provisioning(
            small.crowd.tenants, str(it.layout), self._over_http, self._provisioning
        )
        self._publish(provisioning_report.section(found))

    def _migrate(self, it: Place) -> None:
        self._say(f"migrating {it.crowd.tenants:,} tenants")
        found = fleet.measure(
            it, rate=self._plan.rate, options=self._plan.migration, span=self._plan.span
        )
        self._publish(fleet_report.section(found))

    def _soak(self, it: Place) -> None:
        if self._plan.soak_minutes <= 0:
            return
        self._say(f"watching memory for {self._plan.soak_minutes:g} minutes")
        self._publish(serving_report.memory(serving.soak(it, self._plan.soak_minutes)))
