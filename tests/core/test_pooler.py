"""Through PgBouncer in transaction mode: ordinary requests work, and the attacks end as without."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fixtures.installation import Installation
from fixtures.pooler import pooler
from fixtures.sql_attacks import BECOMING, CHANGING, READING, SABOTAGE, Attacks
from fixtures.sql_scene import Scene, careless_server, staged

pytestmark = pytest.mark.xdist_group("sql-attacks")


@pytest.fixture(scope="module")
def scene(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    log = tmp_path_factory.mktemp("pooled") / "web.log"
    with (
        pooler(installation) as (address, pooled),
        careless_server(installation, log, INSULA_DATABASE_POOLER_URL=address) as url,
        staged(installation, url) as scene,
    ):
        yield scene
        assert "login attempt: db=insula user=app_b" in pooled.read_text()


def test_requests_are_served(scene: Scene) -> None:
    note = scene.us.http.post("/api/v1/notes", json={"title": "kept", "body": "Some words"}).json()
    address = f"/api/v1/notes/{note['id']}"
    read = scene.us.http.get(address)
    assert read.json()["title"] == "kept"
    changed = scene.us.http.patch(
        address, json={"title": "changed"}, headers={"If-Match": read.headers["ETag"]}
    )
    assert changed.json()["title"] == "changed", changed.text
    assert scene.us.http.get("/api/v1/notes?q=words").json()["items"][0]["title"] == "changed"
    assert scene.us.http.delete(address).status_code in (200, 204)
    assert scene.them.http.get(address).status_code == 404
    scene.both_are_served()


def test_many_at_once_never_mix(scene: Scene) -> None:
    def read(number: int) -> bool:
        tenant, own = ((scene.us, "ours"), (scene.them, scene.secret))[number % 2]
        headers = tenant.http.headers
        items = httpx.get(f"{tenant.url}/api/v1/notes", headers=headers, timeout=30).json()["items"]
        return own in [note["title"] for note in items] and len(items) == 1

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(40)))


@pytest.mark.parametrize("attacks", [READING, BECOMING, CHANGING], ids=["read", "be", "change"])
def test_whole_statements_reach_nobody_else(scene: Scene, attacks: Attacks) -> None:
    before = scene.theirs()
    assert scene.unexpected(attacks) == []
    assert scene.theirs() == before
    scene.both_are_served()


def test_nothing_is_left_on_the_connection(scene: Scene) -> None:
    for statement in SABOTAGE:
        scene.attack([statement])
        scene.both_are_served()
