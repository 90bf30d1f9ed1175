"""Choosing from an archive's table of contents: some schemas, or one table and all of it."""

from collections.abc import Callable, Collection

import msgspec

from insula_ops.backup.archive import Archive, Entry
from insula_ops.backup.errors import BackupFailed

_SETTINGS = {"ENCODING", "STDSTRINGS", "SEARCHPATH"}
_REMARKS = {"ACL", "COMMENT", "SECURITY LABEL"}
_OF_TABLE = {
    "ACL", "CHECK CONSTRAINT", "COMMENT", "CONSTRAINT", "DEFAULT", "INDEX", "POLICY",
    "ROW SECURITY", "RULE", "SECURITY LABEL", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET",
    "STATISTICS", "TABLE DATA", "TRIGGER",
}  # fmt: skip
_REPLICATION = ("PUBLICATION", "SUBSCRIPTION")
"""Not for a part of a database: the restored rows would go out to whoever listens."""
_WHOLE = {"FK CONSTRAINT", "INDEX ATTACH", "TABLE ATTACH"}
"""Chosen only with all that they connect."""
_LAST = {"EVENT TRIGGER", "FK CONSTRAINT"}
_BEFORE = {"DOMAIN", "FUNCTION", "SCHEMA", "SEQUENCE", "SHELL TYPE", "TYPE", "COLLATION"}
"""What a table may need and a database may have already."""


class Selection(msgspec.Struct, frozen=True):
    archive: Archive
    left_out: list[str] = []
    """What belongs to the table and could not come with it."""
    may_exist: list[Entry] = []
    """What is to be taken out if the target has it."""

    def without(self, ids: Collection[int]) -> "Selection":
        return msgspec.structs.replace(
            self, archive=_only(self.archive, lambda entry: entry.id not in ids)
        )


def everything(archive: Archive) -> Selection:
    """All but the creation of the database itself, which is there."""
    chosen = _only(archive, lambda entry: not entry.desc.startswith("DATABASE"))
    return Selection(chosen, may_exist=[e for e in chosen.entries if e.desc == "SCHEMA"])


def schemas(archive: Archive, names: Collection[str]) -> Selection:
    """Some schemas with all that is in them, but in no publication.

    Raises:
        BackupFailed: the backup lacks one of them.
    """
    chosen: set[int] = set()
    left_out: list[str] = []
    for entry in archive.entries:
        if entry.desc.startswith(_REPLICATION) and entry.namespace in names:
            left_out.append(f"{entry.desc} {entry.tag}")
            continue
        inside = entry.namespace in names
        itself = entry.desc == "SCHEMA" and entry.tag in names
        remark = entry.desc in _REMARKS and entry.needs and chosen.issuperset(entry.needs)
        if inside or itself or remark:
            chosen.add(entry.id)
    known = {entry.namespace for entry in archive.entries} | {
        entry.tag for entry in archive.entries if entry.desc == "SCHEMA"
    }
    if missing := sorted(set(names) - known):
        raise BackupFailed(f"the backup has no schema {', '.join(missing)}")
    only = _pick(archive, chosen)
    return Selection(only, left_out, [e for e in only.entries if e.desc == "SCHEMA"])


def table(archive: Archive, schema: str, name: str) -> Selection:
    """One table, with its partitions, sequences, indexes, triggers and policies, and what these
    cannot do without. A foreign key comes along if what it points to does.

    Raises:
        BackupFailed: the backup has no such table.
    """
    chosen = {
        entry.id
        for entry in archive.entries
        if entry.desc == "TABLE" and entry.namespace == schema and entry.tag == name
    }
    if not chosen:
        raise BackupFailed(f"the backup has no table {schema}.{name}")
    _add_partitions(archive, chosen)
    tables = set(chosen)
    owned = [e for e in archive.entries if e.desc == "SEQUENCE OWNED BY" and tables & {*e.needs}]
    sequences = {e.id: e for e in archive.entries if e.desc == "SEQUENCE"}
    chosen |= {needed for each in owned for needed in each.needs if needed in sequences}
    for entry in archive.entries:
        if entry.desc in _OF_TABLE and chosen & {*entry.needs}:
            chosen.add(entry.id)
    before = _needed(archive, chosen)
    chosen |= {entry.id for entry in before}
    chosen |= {e.id for e in archive.entries if e.desc == "SEQUENCE SET" and chosen & {*e.needs}}
    left_out: list[str] = []
    for entry in archive.entries:
        if entry.desc in _WHOLE and chosen & {*entry.needs}:
            if chosen.issuperset(entry.needs):
                chosen.add(entry.id)
            elif tables & {*entry.needs}:
                left_out.append(f"{entry.desc} {entry.tag}")
    return Selection(_pick(archive, chosen), left_out, before)


def split_last(selection: Selection) -> tuple[Selection, Selection]:
    """What is to be done when all the rest is: foreign keys and event triggers, with what is said
    of them. ``pg_restore --jobs`` knows which tables an entry names, and not that a foreign key of
    a partitioned table takes locks on the partitions, too: it deadlocks with their indexes."""
    last: set[int] = set()
    for entry in selection.archive.entries:
        if entry.desc in _LAST or (entry.desc in _REMARKS and last & {*entry.needs}):
            last.add(entry.id)
    settings = [entry.id for entry in selection.archive.entries if entry.desc in _SETTINGS]
    rest = {entry.id for entry in selection.archive.entries} - last - {*settings}
    return selection.without(last), selection.without(rest)


def is_partitioned(archive: Archive) -> bool:
    return any(entry.desc == "TABLE ATTACH" for entry in archive.entries)


def _add_partitions(archive: Archive, chosen: set[int]) -> None:
    tables = {(e.namespace, e.tag): e.id for e in archive.entries if e.desc == "TABLE"}
    attached = [
        (set(entry.needs), tables.get((entry.namespace, entry.tag)))
        for entry in archive.entries
        if entry.desc == "TABLE ATTACH"
    ]
    size = 0
    while size != len(chosen):
        size = len(chosen)
        for needs, child in attached:
            if child is not None and chosen & (needs - {child}):
                chosen.add(child)


def _needed(archive: Archive, chosen: set[int]) -> list[Entry]:
    entries = {entry.id: entry for entry in archive.entries}
    by_name = {entry.tag: entry for entry in archive.entries if entry.desc == "SCHEMA"}
    found: dict[int, Entry] = {}
    waiting = [entries[each] for each in chosen]
    while waiting:
        entry = waiting.pop()
        needs = [entries[each] for each in entry.needs if each in entries]
        if entry.namespace in by_name:
            needs.append(by_name[entry.namespace])
        for need in needs:
            known = need.id in found or need.id in chosen
            if need.desc in _BEFORE and not known:
                found[need.id] = need
                waiting.append(need)
    return list(found.values())


def _pick(archive: Archive, chosen: Collection[int]) -> Archive:
    return _only(archive, lambda entry: entry.id in chosen or entry.desc in _SETTINGS)


def _only(archive: Archive, wanted: Callable[[Entry], bool]) -> Archive:
    return msgspec.structs.replace(archive, entries=[e for e in archive.entries if wanted(e)])


def made_here(archive: Archive) -> set[str]:
    """The files of tables that the archive itself creates; an extension creates its own."""
    made = {entry.id for entry in archive.entries if entry.desc == "TABLE"}
    return {
        entry.filename
        for entry in archive.entries
        if entry.desc == "TABLE DATA" and made & {*entry.needs}
    }


def files(archive: Archive) -> list[str]:
    """The tables' files that are chosen."""
    return [entry.filename for entry in archive.entries if entry.desc == "TABLE DATA"]
