"""Search on a server that has pg_trgm and unaccent, which the embedded one has not."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from fixtures.contrib import contrib_server
from fixtures.installation import Installation, TestTenant, WebServer, free_port, sign_up_at
from insula.settings import Settings
from insula.tenancy import installation as installing

pytestmark = pytest.mark.xdist_group("contrib")


@pytest.fixture(scope="module")
def extended(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Another installation, on the system's PostgreSQL and the same Redis."""
    folder = tmp_path_factory.mktemp("extended")
    with contrib_server() as url:
        environ = installation.environ | {
            "INSULA_HOME": str(folder),
            "INSULA_DATABASE_URL": url,
            "INSULA_SECRET_KEY": secrets.token_urlsafe(48),
            "INSULA_METRICS_PORT": str(free_port()),
        }
        settings = Settings.load(environ)
        asyncio.run(installing.migrate(settings))
        web = WebServer(environ, Path(folder) / "web.log")
        web.start()
        try:
            yield Installation(folder, settings, environ, web)
        finally:
            web.stop()


@pytest.fixture
def tenant(extended: Installation) -> Iterator[TestTenant]:
    made = sign_up_at(extended.url).enable("notes")
    yield made
    made.close()


def _titles(tenant: TestTenant, q: str) -> list[str]:
    found = tenant.http.get("/api/v1/search", params={"q": q}).json()
    return [item["title"] for item in found["items"]]


def test_the_extensions_are_there_and_used(extended: Installation, tenant: TestTenant) -> None:
    async def asked() -> tuple[set[str], str]:
        admin = await asyncpg.connect(extended.settings.database_url)
        try:
            rows = await admin.fetch("SELECT extname FROM pg_extension")
            body = await admin.fetchval(
                "SELECT string_agg(prosrc || pg_get_functiondef(oid), '') FROM pg_proc "
                "WHERE proname IN ('search_fold', 'search_similar')"
            )
        finally:
            await admin.close()
        return {row["extname"] for row in rows}, body

    extensions, functions = asyncio.run(asked())
    assert {"pg_trgm", "unaccent"} <= extensions
    assert "unaccent(" in functions
    assert "similarity(" in functions


def test_words_are_found_without_accents_and_with_errors(tenant: TestTenant) -> None:
    body = "Rhododendrons beside the Møller café, № 5"
    assert tenant.http.post("/api/v1/notes", json={"title": "Þing", "body": body}).is_success
    for q in ("thing", "moller cafe", "rhododendron", "rhodedendron", "rhodod", "mollre", "no 5"):
        assert _titles(tenant, q) == ["Þing"], q
    assert _titles(tenant, "elephant") == []
