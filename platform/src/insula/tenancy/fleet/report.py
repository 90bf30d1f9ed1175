"""What a migration is asked to do, and what it says that it did."""

from typing import Protocol

import msgspec

EVERYBODY = "*"
"""Stands for all tenants in a :class:`Failure`."""


class Progress(Protocol):
    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        """What is being done, how many are done, how many there are; the note says how long it will
        take and what failed."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to walk over the fleet."""

    canary: str = "3"
    """Who goes first, one after the other: so many tenants, or the one of this slug."""
    workers: int = 4
    """Batches at the same time, while nobody is served; or always, with a ``share``."""
    share: int | None = None
    """Percent of its time that each worker works, whoever is served meanwhile. None: all of it
    while nobody is; while somebody is, a quarter of one worker's
    (:mod:`insula.tenancy.fleet.tempo`)."""
    batch: int = 10
    """Tenants in one transaction. DDL on more tables than that in one transaction makes the other
    connections forget all that they have cached (FACTS.md)."""
    stop_after: int = 50
    """Tenants that may fail before the migration is held to be at fault, and not they."""
    retry_quarantined: bool = False
    modules: tuple[str, ...] = ()
    """Only these; all, if there are none …"""
    tenants: tuple[str, ...] = ()
    """… and only these tenants' (slugs)."""

    def canary_size(self) -> int:
        """0 without canary."""
        return int(self.canary) if self.canary.isdigit() else 1

    @property
    def canary_slug(self) -> str | None:
        return None if self.canary.isdigit() else self.canary


class Failure(msgspec.Struct, frozen=True):
    tenant: str
    module: str
    error: str


class DownCell(msgspec.Struct, frozen=True):
    """A server that could not be worked with."""

    cell: str
    error: str
    tenants: int
    """Of those that were to be migrated: they are still behind, and nothing else is wrong with
    them."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration did."""

    tenants: int = 0
    """Tenants that were behind."""
    changed: int = 0
    """Modules of tenants that were brought up to date."""
    failures: tuple[Failure, ...] = ()
    locked: tuple[Failure, ...] = ()
    """Tenants whose tables were in use all the time; the next run tries again."""
    down: tuple[DownCell, ...] = ()
    """Servers whose tenants are left for the next run."""
    quarantined: int = 0
    """Modules of tenants that failed, in this run or an earlier one, and are left out."""
    stopped: str = ""
    """Why the run ended before its time."""
    seconds: float = 0.0
    aside: int = 0
    """How often a worker stepped aside, since somebody was served meanwhile."""
    skipped: tuple[str, ...] = ()
    """Hardening steps that this server refuses."""

    @property
    def succeeded(self) -> bool:
        return not (self.failures or self.locked or self.down or self.stopped)
