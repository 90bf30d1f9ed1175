"""What pg_dump would have put into the table of contents for the rows that we copied ourselves."""

from collections.abc import Mapping, Sequence

from insula_ops.backup.archive import DATA, POST_DATA, Archive, Entry
from insula_ops.backup.catalogue import Relation, Role, SequenceState, Table, literal, quoted


def add(
    archive: Archive,
    tables: Sequence[Table],
    sequences: Sequence[SequenceState],
    views: Sequence[Relation],
    view_needs: Mapping[int, Sequence[int]],
) -> None:
    """Complete an archive of definitions: rows and sequences before the first entry that is of the
    section "data" or later, refreshes of materialised views at the end."""
    owners = {
        (entry.class_oid, entry.oid): entry.id for entry in archive.entries if entry.section < DATA
    }
    first = archive.next_id()
    data = [_table_data(first + n, each, owners) for n, each in enumerate(tables)]
    place = next(
        (n for n, entry in enumerate(archive.entries) if entry.section >= DATA),
        len(archive.entries),
    )
    archive.entries[place:place] = data
    first = archive.next_id()
    archive.entries[place + len(data) : place + len(data)] = [
        _sequence_set(first + n, each, owners) for n, each in enumerate(sequences)
    ]
    first = archive.next_id()
    ids = {view.oid: first + n for n, view in enumerate(views)}
    archive.entries += [_refresh(view, ids, view_needs, owners) for view in views]


def _table_data(number: int, table: Table, owners: Mapping[tuple[str, str], int]) -> Entry:
    definition = owners.get(("1259", str(table.oid)))
    if definition is None and table.extension is not None:
        definition = owners.get(("3079", str(table.extension)))
    return Entry(
        number, "TABLE DATA", table.name, DATA,
        oid=str(table.oid), definition=None, drop=None,
        copy=f"COPY {table.qualified} {table.column_list} FROM stdin;\n",
        namespace=table.schema, owner=table.owner, needs=[definition] if definition else [],
        filename=f"{table.oid}.dat", has_data=True,
    )  # fmt: skip


def _sequence_set(
    number: int, sequence: SequenceState, owners: Mapping[tuple[str, str], int]
) -> Entry:
    relation = sequence.relation
    definition = owners.get(("1259", str(relation.oid)))
    value = f"{sequence.last_value}, {'true' if sequence.is_called else 'false'}"
    return Entry(
        number, "SEQUENCE SET", relation.name, DATA,
        definition=f"SELECT pg_catalog.setval({literal(relation.qualified)}, {value});\n",
        drop=None, namespace=relation.schema, owner=relation.owner,
        needs=[definition] if definition else [],
    )  # fmt: skip


def _refresh(
    view: Relation,
    ids: Mapping[int, int],
    needs: Mapping[int, Sequence[int]],
    owners: Mapping[tuple[str, str], int],
) -> Entry:
    definition = owners.get(("1259", str(view.oid)))
    return Entry(
        ids[view.oid], "MATERIALIZED VIEW DATA", view.name, POST_DATA,
        oid=str(view.oid), definition=f"REFRESH MATERIALIZED VIEW {view.qualified};\n", drop=None,
        namespace=view.schema, owner=view.owner,
        needs=[*([definition] if definition else []), *(ids[each] for each in needs[view.oid])],
    )  # fmt: skip


def roles_script(roles: Sequence[Role]) -> str:
    """Makes the roles that are missing, as they were but for passwords and SUPERUSER, which a
    backup does not hand out."""
    made = [_create_role(role) for role in roles]
    granted = [
        f"GRANT {quoted(group)} TO {quoted(role.name)};\n"
        for role in roles
        for group in role.groups
    ]
    head = "-- The roles of the server, without passwords and without SUPERUSER.\n"
    return "".join([head, *made, *granted])


def _create_role(role: Role) -> str:
    attributes = " ".join(
        word if yes else f"NO{word}"
        for word, yes in (
            ("INHERIT", role.inherit), ("LOGIN", role.login), ("CREATEDB", role.createdb),
            ("CREATEROLE", role.createrole), ("BYPASSRLS", role.bypassrls),
            ("REPLICATION", role.replication),
        )
    )  # fmt: skip
    name = literal(role.name)
    make = literal(f"CREATE ROLE {quoted(role.name)} {attributes}")
    body = (
        f"BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {name}) "
        f"THEN EXECUTE {make}; END IF; END"
    )
    return f"DO {literal(body)};\n"
