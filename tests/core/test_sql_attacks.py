"""SQL from outside reaches PostgreSQL, and nothing of another tenant is read, written or learned.

A module that passes statements on stands for every injection that code of ours could ever have;
pools of one connection make the victim follow on the attacker's session.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from fixtures.command import CommandLine
from fixtures.installation import Installation
from fixtures.sql_attacks import ALL, CHANGING, PASTED, REMAINING, SABOTAGE
from fixtures.sql_scene import Scene, careless_server, staged
from insula.db import Statement
from insula.db.capabilities import Capabilities
from insula.db.statement import StatementError
from insula.module import discover
from insula.tenancy.sealing import question
from sqlalchemy import text

INDISCREET = r"""
SELECT i.indexrelid::regclass::text, p.oid::regprocedure::text
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
CROSS JOIN unnest(i.indclass) AS class JOIN pg_opclass o ON o.oid = class
JOIN pg_am m ON m.oid = o.opcmethod JOIN pg_amop a ON a.amopfamily = o.opcfamily
JOIN pg_operator x ON x.oid = a.amopopr JOIN pg_proc p ON p.oid = x.oprcode
WHERE c.relnamespace = $1::text::regnamespace AND NOT p.proleakproof
AND a.amoplefttype = o.opcintype
AND (m.amname NOT IN ('btree', 'hash') OR a.amoprighttype = o.opcintype)
UNION
SELECT i.indexrelid::regclass::text, p.oid::regprocedure::text
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
CROSS JOIN regexp_matches(i.indexprs::text, ':funcid (\d+)', 'g') AS called
JOIN pg_proc p ON p.oid = called[1]::oid
WHERE c.relnamespace = $1::text::regnamespace AND NOT p.proleakproof
"""
"""Functions that indexes of a schema are asked with, and PostgreSQL does not trust."""

pytestmark = pytest.mark.xdist_group("sql-attacks")


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    log = tmp_path_factory.mktemp("injectable") / "web.log"
    with (
        careless_server(installation, log, INSULA_POOL_SIZE="1") as url,
        staged(installation, url) as scene,
    ):
        scene.admin("ANALYZE")  # or there were no statistics to be read
        yield scene


@pytest.mark.parametrize("kind", ALL)
def test_whole_statements_reach_nobody_else(scene: Scene, kind: str) -> None:
    before = scene.theirs()
    assert scene.unexpected(ALL[kind]) == []
    assert scene.theirs() == before
    scene.both_are_served()


def test_what_is_pasted_into_a_statement_reaches_nobody_else(scene: Scene) -> None:
    failed = []
    for name, (title, expected) in PASTED.items():
        params = {"title": scene.fill(title)}
        outcome = scene.us.http.get("/api/v1/injectable/notes", params=params).json()
        if not re.search(expected, outcome[-1]) or scene.secret in str(outcome):
            failed.append((name, outcome))
    assert failed == []
    ours = scene.us.http.get("/api/v1/injectable/notes", params={"title": "' OR true --"})
    assert ours.json() == ["ours"]  # the door is open
    scene.both_are_served()


def test_the_attacks_do_find_what_nothing_protects(scene: Scene) -> None:
    """Without row security, or with the victim's capability, the same statements succeed."""
    become = ["SET ROLE {them}", "SELECT title FROM {them}.notes"]
    scene.admin(f"ALTER TABLE {scene.names['them']}.notes DISABLE ROW LEVEL SECURITY")
    try:
        assert scene.secret in scene.attack(become)[-1]
    finally:
        scene.admin(f"ALTER TABLE {scene.names['them']}.notes ENABLE ROW LEVEL SECURITY")
    assert scene.attack(become)[-1] == "rows: []"
    stolen = Capabilities(scene.installation.settings.secret_key).of(scene.names["them"])
    assert scene.secret in scene.attack([f"SET insula.capability = '{stolen}'", *become])[-1]
    assert scene.attack(become)[-1] == "rows: []"


def test_what_remains_is_what_the_guide_says(scene: Scene) -> None:
    assert scene.unexpected(REMAINING) == []
    scene.both_are_served()


@pytest.mark.parametrize("door", ["statements", "script"])
def test_nothing_is_left_on_the_connection(scene: Scene, door: str) -> None:
    for statement in SABOTAGE:
        scene.attack([statement], door)
        scene.both_are_served()


def test_a_request_that_is_cut_off_leaves_nothing(scene: Scene) -> None:
    sql = [scene.fill("SET ROLE {them}"), "SET TimeZone = 'Asia/Tokyo'", "SELECT pg_sleep(1)"]
    for door in ("statements", "script"):
        with suppress(httpx.TimeoutException):
            scene.us.http.post(f"/api/v1/injectable/{door}", json={"sql": sql}, timeout=0.3)
    scene.both_are_served()


def test_the_capability_is_in_no_statement(scene: Scene) -> None:
    """It is sent as a value: what shows statements does not show it."""
    capabilities = Capabilities(scene.installation.settings.secret_key)
    prepared = scene.attack(["SELECT statement FROM pg_prepared_statements"])[-1]
    assert "set_config('insula.capability', $3" in prepared
    seen = prepared + str(scene.admin("SELECT query FROM pg_stat_activity"))
    for role in (scene.names["us"], scene.names["them"]):
        assert capabilities.of(role) not in seen


def test_row_security_leaves_every_index_usable(scene: Scene) -> None:
    """PostgreSQL uses an index on hidden rows only for functions that it believes to be discreet:
    what a module's index is asked with belongs into ``insula.tenancy.hardening``."""
    for module in discover():
        scene.us.enable(module)
    asked = scene.admin(INDISCREET, scene.names["us"])
    assert asked == []
    plan = scene.attack(
        ["SET enable_seqscan = off", "EXPLAIN SELECT id FROM notes WHERE search @@ 'x'::tsquery"]
    )[-1]
    assert "ix_notes_search" in plan


def test_only_statements_on_rows_can_be_written() -> None:
    for sql in ("SET ROLE x", "-- a\nRESET ROLE", "EXPLAIN SELECT 1", "LISTEN x", "DO $$ $$"):
        with pytest.raises(StatementError):
            Statement(text(sql))


OLDER = """
DO $$
DECLARE
    made regclass;
BEGIN
    FOR made IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = '{0}'::regnamespace
    LOOP
        EXECUTE format('DROP POLICY bound ON %s', made);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', made);
    END LOOP;
    EXECUTE 'DROP FUNCTION {0}.insula_bound_' || substr('{0}', 3);
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA {0} TO {0};
    DELETE FROM {0}.insula_migrations WHERE module = 'core' AND version IN (11, 14);
    UPDATE ctl.tenant_modules SET version = 10 WHERE module = 'core'
        AND tenant_id = (SELECT id FROM ctl.tenants WHERE 't_' || number = '{0}');
END
$$
"""
"""Makes a tenant what it was before there was row security."""


def test_migrating_seals_what_is_older(scene: Scene) -> None:
    become = ["SET ROLE {them}", "SELECT title FROM {them}.notes"]
    scene.admin(OLDER.format(scene.names["them"]))
    assert scene.secret in scene.attack(become)[-1]
    migrated = CommandLine(scene.installation).run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert scene.attack(become)[-1] == "rows: []"
    assert scene.unexpected(CHANGING) == []
    scene.both_are_served()


def test_migrating_seals_anew_for_another_secret(scene: Scene) -> None:
    them = scene.names["them"]
    scene.admin(question(them, Capabilities("of an installation with another secret")))
    assert scene.them.http.get("/api/v1/notes").json()["items"] == []
    migrated = CommandLine(scene.installation).run("db", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    scene.both_are_served()


def test_every_table_is_sealed_and_nothing_goes_around(scene: Scene) -> None:
    """Of every tenant and slot that tests in this process have made, however they made its tables;
    what a role has no right to needs no seal."""
    tenants = "pg_roles r ON r.rolname = n.nspname AND n.nspname ~ '^t_[0-9]+$'"
    relations = f"pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN {tenants}"
    functions = f"pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN {tenants}"
    reached = "has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
    sealed = (
        "relrowsecurity AND ARRAY(SELECT pg_get_expr(polqual, polrelid) FROM pg_policy "
        "WHERE polrelid = c.oid AND polcmd = '*') "
        "= ARRAY['( SELECT ' || n.nspname || '.insula_bound_' || substr(n.nspname, 3)"
        " || '() AS insula_bound_' || substr(n.nspname, 3) || ')']"
    )
    through = (
        "relkind = 'm' OR relkind = 'v' AND NOT "
        "coalesce(reloptions @> ARRAY['security_invoker=true'], false)"
    )
    drawn = "has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE')"
    found = scene.admin(
        f"SELECT c.oid::regclass::text FROM {relations} "
        f"WHERE CASE WHEN relkind IN ('r', 'p', 'f') THEN {reached} AND NOT ({sealed}) "
        f"WHEN relkind = 'S' THEN {drawn} ELSE {through} END "
        f"UNION ALL SELECT p.oid::regprocedure::text FROM {functions} "
        "WHERE prosecdef AND prorettype <> 'trigger'::regtype"
    )
    assert found == []
    (tables,) = scene.admin(f"SELECT count(*) FROM {relations} WHERE relkind = 'r' AND {sealed}")
    assert tables[0] > 50
