"""Further databases on home's server, each for a cell of its own (`insula cells add --here`)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import asyncpg

from insula.settings import Settings
from insula.tenancy.cells import CellRefused
from insula.tenancy.installation import LOCK

_NAME_BYTES = 63
"""PostgreSQL cuts longer names short."""
# As home is: texts are to be compared the same way wherever a tenant is. From template0, since
# somebody may have put something into template1. Which column has the locale's name depends on
# PostgreSQL's version.
_LIKE_HOME = """
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L TABLESPACE %I '
        'LOCALE_PROVIDER %s LC_COLLATE %L LC_CTYPE %L', $1::text, pg_encoding_to_char(encoding),
        spcname, provider, datcollate, datctype)
    || CASE WHEN provider = 'libc' THEN '' ELSE format(' %s_LOCALE %L', provider, locale) END
FROM (
    SELECT *, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
        CASE datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider
    FROM pg_database d WHERE datname = current_database()
) AS home JOIN pg_tablespace t ON t.oid = home.dattablespace
"""


@asynccontextmanager
async def administrating(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """Home, as the login of ``INSULA_DATABASE_URL``. Nobody else installs anything meanwhile:
    logins are the server's, whichever database they are for."""
    home = await asyncpg.connect(settings.database_url)
    try:
        await home.execute("SELECT pg_advisory_lock($1)", LOCK)
        yield home
    finally:
        await home.close()


async def name_for(home: asyncpg.Connection, cell: str) -> str:
    """What the database of a cell is called: home's and its own name.

    Raises:
        CellRefused: that is too long.
    """
    name = f"{await home.fetchval('SELECT current_database()')}_{cell}"
    if len(name.encode()) > _NAME_BYTES:
        raise CellRefused(f"The database would be called {name}, which is too long.")
    return name


def url_of(database: str) -> str:
    """How the catalogue refers to a database of home's server."""
    return f"/{quote(database, safe='')}"


async def is_there(home: asyncpg.Connection, database: str) -> bool:
    found = await home.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
    return found is not None


async def ensure(home: asyncpg.Connection, database: str) -> None:
    """Make the database, unless it is there.

    Raises:
        CellRefused: the login may not.
    """
    if await is_there(home, database):
        return
    try:
        await home.execute(await home.fetchval(_LIKE_HOME, database))
    except asyncpg.InsufficientPrivilegeError as error:
        raise CellRefused(
            "The login of INSULA_DATABASE_URL may not create databases: give it CREATEDB, or make "
            "one yourself and name its URL."
        ) from error
