"""Which backups to keep: grandfather, father, son."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from insula_ops.backup import place as places
from insula_ops.backup.place import Place


class Rule(msgspec.Struct, frozen=True):
    """How many of each to keep: the newest backup of each of the last so many days (weeks …) that
    have one. Days are UTC's, weeks ISO's."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12
    yearly: int = 1


class Pruned(msgspec.Struct, frozen=True):
    kept: dict[str, list[str]]
    """Why: by name."""
    removed: list[str]
    incomplete: list[str]
    """Also removed."""
    unreadable: list[str]
    """Left alone, since nobody knows how old they are."""


_PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "daily": lambda time: time.timetuple()[:3],
    "weekly": lambda time: time.isocalendar()[:2],
    "monthly": lambda time: (time.year, time.month),
    "yearly": lambda time: (time.year,),
}


def keep(taken: dict[str, datetime], rule: Rule) -> dict[str, list[str]]:
    """The names to keep, each with its reasons. The newest is always among them."""
    newest_first = sorted(taken, key=lambda name: (taken[name], name), reverse=True)
    reasons: dict[str, list[str]] = {name: ["newest"] for name in newest_first[:1]}
    for period, key in _PERIODS.items():
        seen: set[tuple[int, ...]] = set()
        for name in newest_first:
            when = key(taken[name].astimezone(UTC))
            if when not in seen and len(seen) < getattr(rule, period):
                seen.add(when)
                reasons.setdefault(name, []).append(period)
    return reasons


def prune(
    place: Place,
    rule: Rule,
    *,
    incomplete_after: timedelta,
    dry_run: bool,
    databases: Iterable[str],
) -> Pruned:
    """Remove what the rule does not keep, for each database and choice of schemas by itself, and
    what was begun and not finished for so long that nobody can still be at it."""
    manifests, unreadable = places.all_manifests(place)
    only = set(databases)
    groups: dict[tuple[str, ...], dict[str, datetime]] = {}
    for each in manifests:
        if not only or each.database in only:
            of = (each.database, *(each.schemas or ()))
            groups.setdefault(of, {})[each.name] = each.snapshot.taken_at
    kept: dict[str, list[str]] = {}
    for taken in groups.values():
        kept |= keep(taken, rule)
    removed = [name for taken in groups.values() for name in taken if name not in kept]
    now = datetime.now(UTC)
    stale = [name for name, at in place.incomplete().items() if now - at > incomplete_after]
    if not dry_run:
        for name in (*stale, *removed):
            place.remove(name)
    return Pruned(kept, removed, stale, unreadable)


def ages(place: Place, database: str | None) -> dict[str, timedelta]:
    """How old the newest backup of each whole database is, or that of one."""
    found: dict[str, timedelta] = {}
    for each in places.all_manifests(place)[0]:
        if each.schemas is None and database in (None, each.database):
            found.setdefault(each.database, each.age)
    return found
