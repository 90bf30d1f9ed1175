"""Tables change under a version of the code that is serving: nobody who uses it sees an error."""

import asyncio
import secrets
import threading
from collections import Counter
from collections.abc import Callable

import asyncpg
import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant

# To and fro: what statements yield has other types each time, which makes their cached plans
# invalid; old and new code can read and write both.
TYPES = (("BIGINT", "VARCHAR"), ("INTEGER", "TEXT"))


class Changing:
    """The notes of one tenant, whose table a migration changes again and again."""

    def __init__(self, installation: Installation, tenant: TestTenant) -> None:
        self._url = installation.settings.database_url
        self._count = 0
        self.schema = asyncio.run(self._find(tenant.id))

    async def _find(self, tenant: str) -> str:
        connection = await asyncpg.connect(self._url)
        query = "SELECT number FROM ctl.tenants WHERE id = $1::text::uuid"
        number = await connection.fetchval(query, tenant)
        await connection.close()
        return f"t_{number}"

    def change(self) -> None:
        """Another column, and other types of some that every statement yields, one or the other."""
        self._count += 1
        number, text = TYPES[self._count % 2]
        self.execute(
            f"ALTER TABLE notes ADD COLUMN more_{self._count} TEXT,"
            f"ALTER COLUMN revision TYPE {number}, ALTER COLUMN front_matter TYPE {text}"
        )

    def execute(self, sql: str) -> None:
        asyncio.run(self._execute(sql))

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute(f"SET search_path = {self.schema}")
            await connection.execute(sql)
        finally:
            await connection.close()


def create(http: httpx.Client) -> httpx.Response:
    return http.post("/api/v1/notes", json={"title": secrets.token_hex(8), "body": "two by four"})


Operation = Callable[[httpx.Client, str], httpx.Response]
OPERATIONS: dict[str, Operation] = {
    "a read": lambda http, note: http.get(f"/api/v1/notes/{note}"),
    "a list": lambda http, note: http.get("/api/v1/notes"),
    "a stream": lambda http, note: http.get("/api/v1/notes/export"),
    "an insert": lambda http, note: create(http),
    "an update": lambda http, note: http.patch(
        f"/api/v1/notes/{note}", json={"title": secrets.token_hex(8)}, headers={"If-Match": "*"}
    ),
}


@pytest.fixture
def notes(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def test_a_changed_table_is_no_error_to_whoever_reads_or_writes_next(
    installation: Installation, notes: TestTenant
) -> None:
    table, note = Changing(installation, notes), create(notes.http).json()["id"]
    for name, operation in OPERATIONS.items():
        for _ in range(3):
            answer = operation(notes.http, note)
            assert answer.is_success, (name, answer.text)
            table.change()
        answer = operation(notes.http, note)
        assert answer.is_success, (name, answer.text)


def test_an_insert_that_is_tried_again_happens_once(
    installation: Installation, notes: TestTenant
) -> None:
    table = Changing(installation, notes)
    for expected in range(1, 6):
        assert create(notes.http).status_code == 201
        assert len(notes.http.get("/api/v1/notes?limit=50").json()["items"]) == expected
        table.change()


def test_people_work_while_a_migration_changes_their_tables(
    installation: Installation, notes: TestTenant
) -> None:
    table, note = Changing(installation, notes), create(notes.http).json()["id"]
    done: Counter[str] = Counter()
    faults: list[str] = []
    over = threading.Event()

    def work(name: str, operation: Operation) -> None:
        headers = {"Authorization": notes.http.headers["Authorization"]}
        with httpx.Client(base_url=notes.url, headers=headers, timeout=30) as http:
            while not over.is_set():
                answer = operation(http, note)
                done[name] += 1
                if not answer.is_success:
                    faults.append(f"{name}: {answer.status_code} {answer.text[:200]}")

    people = [threading.Thread(target=work, args=item) for item in OPERATIONS.items()]
    for person in people:
        person.start()
    for _ in range(10):
        before = done.copy()
        while people and any(done[name] == before[name] for name in OPERATIONS) and not faults:
            over.wait(0.005)
        table.change()
    over.set()
    for person in people:
        person.join()
    assert faults == []
    assert min(done.values()) >= 10


def test_a_tenant_without_what_the_code_needs_is_served_where_it_is_not_needed(
    installation: Installation, notes: TestTenant
) -> None:
    """As one in quarantine is."""
    table, note = Changing(installation, notes), create(notes.http).json()["id"]
    table.execute("ALTER TABLE notes_words RENAME TO notes_words_of_old")
    words = notes.http.get("/api/v1/notes/words")
    assert (words.status_code, words.headers["retry-after"]) == (503, "60"), words.text
    assert notes.http.get(f"/api/v1/notes/{note}").status_code == 200
