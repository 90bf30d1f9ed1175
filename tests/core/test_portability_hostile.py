"""Archives that are damaged or forged: each is refused with a reason, and leaves nothing."""

import asyncio
import secrets
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from backports import zstd
from fixtures.archives import Carrier, Forged, Opened
from fixtures.files import content, upload
from fixtures.installation import Installation, TestTenant, sign_up_at
from insula.portability.errors import ArchiveRefused
from insula.portability.members import END

Forge = Callable[[Forged], Any]


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Iterator[TestTenant]:
    made = sign_up_at(installation.url).enable("notes", "tasks")
    made.http.post("/api/v1/notes", json={"title": "One", "body": "text"})
    made.http.post("/api/v1/notes", json={"title": "Two", "body": "text"})
    upload(made, b"the bytes")
    yield made
    made.close()


@pytest.fixture(scope="module")
def carrier(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Carrier:
    return Carrier(installation, tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def archive(carrier: Carrier, tenant: TestTenant) -> bytes:
    return carrier.export(tenant.slug)


@pytest.fixture
def forged(archive: bytes) -> Forged:
    return Forged(dict(Opened.of(archive).members))


def _file(forged: Forged) -> str:
    return next(name for name in forged.members if name.startswith("files/"))


def _rows(forged: Forged, table: str) -> str:
    return next(name for name in forged.members if name.split("/")[2:3] == [table])


def _component(which: str, **changes: Any) -> Forge:
    def change(manifest: dict[str, Any]) -> None:
        next(m for m in manifest["modules"] if m["name"] == which).update(changes)

    return lambda forged: forged.manifest(change)


def _rename(forged: Forged, old: str, new: str) -> None:
    forged.members = {new if n == old else n: c for n, c in forged.members.items()}


def _link(forged: Forged) -> None:
    forged.kinds[_file(forged)] = tarfile.SYMTYPE


def _more_rows(forged: Forged) -> None:
    name = _rows(forged, "notes")
    forged.members[name] += forged.members[name]


def _fewer_rows(forged: Forged) -> None:
    name = _rows(forged, "notes")
    forged.members[name] = forged.members[name].splitlines(keepends=True)[0]


def _table(table: dict[str, Any]) -> Forge:
    return lambda forged: forged.manifest(lambda manifest: manifest["tables"].append(table))


def _column(table: str, name: str, kind: str) -> Forge:
    def change(manifest: dict[str, Any]) -> None:
        found = next(t for t in manifest["tables"] if t["name"] == table)
        found["columns"].append({"name": name, "type": kind})

    return lambda forged: forged.manifest(change)


def _of_user(**changes: Any) -> Forge:
    return lambda forged: forged.row("users", lambda row: row.update(changes))


def _of_note(**changes: Any) -> Forge:
    return lambda forged: forged.row("notes", lambda row: row.update(changes))


_SESSIONS = {"module": "core", "name": "sessions", "columns": [], "rows": 0}
_COSTLY = "$argon2id$v=19$m=4194304,t=1000,p=8$c29tZXNhbHRzb21l$c29tZWhhc2hzb21laGFzaHNvbWVoYXNo"
_NESTED = b'{"id":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"

FORGERIES: dict[str, tuple[Forge, str]] = {
    "a later format": (lambda f: f.manifest(lambda m: m.update(version=2)), "upgrade Insula first"),
    "another format": (lambda f: f.manifest(lambda m: m.update(format="zip")), "manifest.json"),
    "one person's data": (lambda f: f.manifest(lambda m: m.update(kind="person")), "one person"),
    "no manifest": (lambda f: f.members.pop("manifest.json"), "manifest.json"),
    "an unknown module": (
        lambda f: f.manifest(
            lambda m: m["modules"].append({"name": "shop", "enabled": True, "migrations": []})
        ),
        "shop.*install the packages",
    ),
    "newer tables": (
        _component("notes", migrations=[{"version": 99, "checksum": ""}]),
        "notes has seen the migrations 99.*upgrade",
    ),
    "other migrations": (
        _component("tasks", migrations=[{"version": 1, "checksum": "0"}]),
        "tasks/0001_.*is another file",
    ),
    "no core": (_component("core", name="kernel"), "has no core"),
    "sessions": (_table(_SESSIONS), "core/sessions, which"),
    "a catalogue": (_table(_SESSIONS | {"name": "pg_authid"}), "core/pg_authid, which"),
    "a column too many": (_column("notes", "id); DROP TABLE x; --", "text"), "makes? it nothing"),
    "another type": (_column("notes", "title", "integer"), "title is integer"),
    "rows too many": (_more_rows, "duplicate key"),
    "rows too few": (_fewer_rows, "notes has 1 rows instead of 2"),
    "a wrong type": (_of_note(id="not-a-uuid"), "tables/notes/notes/000001.ndjson: invalid input"),
    "no value": (_of_note(title=None), "null value"),
    "a NUL": (_of_note(title="\0"), "notes/000001.ndjson"),
    "nobody's note": (_of_note(author_id=str(UUID(int=7))), "fk_notes_author_id"),
    "no owner": (_of_user(role="member"), "active owner"),
    "a costly password": (_of_user(password_hash=_COSTLY), "password hash of"),
    "no password hash": (_of_user(password_hash="secret"), "password hash of"),
    "not JSON": (lambda f: f.members.update({_rows(f, "notes"): b"{]\n"}), "invalid input syntax"),
    "an array": (lambda f: f.members.update({_rows(f, "notes"): b"7\n"}), "000001.ndjson"),
    "deep JSON": (lambda f: f.members.update({_rows(f, "notes"): _NESTED}), "stack depth"),
    "not UTF-8": (lambda f: f.members.update({_rows(f, "notes"): b"\xff\n"}), "utf-8"),
    "half a line": (lambda f: f.members.update({_rows(f, "notes"): b"{}"}), "line's end"),
    "other bytes": (lambda f: f.members.update({_file(f): b"THE BYTES"}), "other bytes"),
    "more bytes": (lambda f: f.members.update({_file(f): b"the bytes and more"}), "with 18 bytes"),
    "no bytes": (lambda f: f.members.pop(_file(f)), "0 files instead of 1"),
    "an unknown file": (lambda f: f.members.update({f"files/{UUID(int=1)}": b""}), "000000000001"),
    "a way out": (lambda f: _rename(f, _file(f), "files/../../etc/passwd"), "does not belong here"),
    "an absolute path": (lambda f: f.members.update({"/etc/cron.d/x": b""}), "does not belong"),
    "a symbolic link": (_link, "not a plain file"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_archive_is_refused(name: str, carrier: Carrier, forged: Forged) -> None:
    forge, reason = FORGERIES[name]
    forge(forged)
    with pytest.raises(ArchiveRefused, match=f"(?s){reason}"):
        carrier.import_(forged.pack(), "never-there")


def _flipped(archive: bytes) -> bytes:
    tar = bytearray(zstd.decompress(archive))
    tar[tar.index(b'"title":"One"') + 9 : tar.index(b'"title":"One"') + 12] = b"Two"
    return zstd.compress(bytes(tar))


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda _: b"", "in the middle"),
    "a text": (lambda _: b"once upon a time", "no archive compressed with zstd"),
    "no tar": (lambda _: zstd.compress(bytes(range(256)) * 8), "not a tar file"),
    "cut off": (lambda a: a[: len(a) // 2], "in the middle"),
    "its last byte gone": (lambda a: a[:-1], "in the middle"),
    "cut off inside": (lambda a: zstd.compress(zstd.decompress(a)[:-3000]), "in the middle|SHA256"),
    "a byte changed": (_flipped, "SHA256SUMS says"),
    "something behind": (lambda a: a + b"more", "follows after"),
    "something more inside": (lambda a: zstd.compress(zstd.decompress(a) + b"x"), "follows after"),
    "no end": (lambda a: zstd.compress(zstd.decompress(a)[: -len(END)]), "in the middle"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_archive_is_refused(name: str, carrier: Carrier, archive: bytes) -> None:
    damage, reason = DAMAGES[name]
    with pytest.raises(ArchiveRefused, match=reason):
        carrier.import_(damage(archive), "never-there")


def test_a_bomb_is_refused_before_it_goes_off(carrier: Carrier, forged: Forged) -> None:
    forged.members[_rows(forged, "notes")] = b" " * (64 << 20)
    packed = forged.pack()
    assert len(packed) < 1 << 20
    with pytest.raises(ArchiveRefused, match="unfolds to more than 10000000 bytes"):
        carrier.import_(packed, "never-there", "--limit", "10000000")


def test_nothing_is_left_of_what_was_refused(
    installation: Installation, carrier: Carrier, forged: Forged
) -> None:
    before = asyncio.run(_standing(installation))
    for name in ("other bytes", "no owner", "rows too few"):
        with pytest.raises(ArchiveRefused):
            carrier.import_(_forged(name, forged), "never-there")
    assert asyncio.run(_standing(installation)) == before


def _forged(name: str, forged: Forged) -> bytes:
    changed = Forged(dict(forged.members))
    FORGERIES[name][0](changed)
    return changed.pack()


async def _standing(installation: Installation) -> Any:
    """The tenants there are, with their schemas, roles and folders of files."""
    connection = await asyncpg.connect(installation.settings.database_url)
    try:
        tenants = await connection.fetch(
            "SELECT slug, n.oid IS NOT NULL, r.oid IS NOT NULL FROM ctl.tenants t "
            "LEFT JOIN pg_namespace n ON nspname = 't_' || number "
            "LEFT JOIN pg_roles r ON rolname = 't_' || number ORDER BY slug"
        )
    finally:
        await connection.close()
    files = Path(installation.settings.home) / "files"
    return [tuple(row) for row in tenants], sorted(path.name for path in files.iterdir())


def test_where_bytes_lie_is_not_for_the_archive_to_say(
    carrier: Carrier, forged: Forged, tenant: TestTenant
) -> None:
    _column("files", "blob", "text")(forged)
    forged.row("files", lambda row: row.update(blob="../../1/stolen"))
    slug = f"c-{secrets.token_hex(6)}"
    carrier.import_(forged.pack(), slug)
    copy = TestTenant(tenant.url, slug, "", None)  # type: ignore[arg-type]
    copy.owner = copy.sign_in(tenant.owner.email)
    file = copy.http.get("/api/v1/files").json()["items"][0]
    assert content(copy, file).content == b"the bytes"
    copy.close()


def test_a_slug_that_is_taken_or_impossible(
    carrier: Carrier, archive: bytes, tenant: TestTenant
) -> None:
    with pytest.raises(Exception, match="belongs to another tenant"):
        carrier.import_(archive, tenant.slug)
    with pytest.raises(Exception, match="valid"):
        carrier.import_(archive, "api")


def test_a_slug_that_somebody_has_given_up_leads_to_them_for_a_while(
    installation: Installation, carrier: Carrier, archive: bytes, tenant: TestTenant
) -> None:
    former = f"f-{secrets.token_hex(6)}"

    async def give_up() -> None:
        connection = await asyncpg.connect(installation.settings.database_url)
        await connection.execute(
            "INSERT INTO ctl.former_slugs (slug, tenant_id, until) "
            "SELECT $1, id, now() + interval '1 day' FROM ctl.tenants WHERE slug = $2",
            former,
            tenant.slug,
        )
        await connection.close()

    asyncio.run(give_up())
    with pytest.raises(Exception, match="belongs to another tenant"):
        carrier.import_(archive, former)


def test_a_language_or_zone_that_is_none_is_left_out(
    carrier: Carrier, forged: Forged, tenant: TestTenant
) -> None:
    """It would be an error in whatever it is used for, for good."""

    def lie(manifest: dict[str, Any]) -> None:
        manifest["tenant"].update(locale="../../de", time_zone="/etc/passwd")

    forged.manifest(lie)
    forged.row("users", lambda row: row.update(locale="tlh", time_zone="Mars/Olympus"))
    slug = f"c-{secrets.token_hex(6)}"
    carrier.import_(forged.pack(), slug)
    copy = TestTenant(tenant.url, slug, "", None)  # type: ignore[arg-type]
    copy.owner = copy.sign_in(tenant.owner.email)
    me = copy.http.get("/api/v1/me").json()
    assert (me["locale"], me["time_zone"]) == ("en", "UTC")
    seen = copy.http.get("/api/v1/settings").json()
    assert (seen["locale"], seen["time_zone"]) == ("en", "UTC")
    copy.close()
