"""An Insula of its own for one run: servers in a temporary folder, installed, nobody in it."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from insula.embedded import EmbeddedServers
from insula.settings import Settings
from insula.tenancy import installation

from insula_bench import cores

_UNLIMITED = {"INSULA_RATE_LIMIT": "60000000", "INSULA_RATE_BURST": "10000000",
              "INSULA_SIGNUP_LIMIT": "1000000"}  # fmt: skip
"""Limits are asked for and answered on every request, and never reached."""


class Installation(msgspec.Struct, frozen=True):
    """Where it is, as settings and as the environment of a server."""

    folder: Path
    settings: Settings
    environment: dict[str, str]


@contextmanager
def installed(
    folder: Path, *, on: frozenset[int] = cores.OTHERS, **settings_: object
) -> Iterator[Installation]:
    """PostgreSQL and Redis with their default, durable settings, off the worker's core; further
    settings by their names."""
    with cores.running_on(on), EmbeddedServers(folder / "state") as servers:
        environment = {
            "INSULA_HOME": str(folder / "state"),
            "INSULA_DATABASE_URL": servers.database_url,
            "INSULA_REDIS_URL": servers.redis_url,
            "INSULA_SECRET_KEY": secrets.token_urlsafe(48),
            "INSULA_ACCESS_TOKEN_SECONDS": "7200",
            **_UNLIMITED,
            **{f"INSULA_{name.upper()}": str(value) for name, value in settings_.items()},
        }
        settings = Settings.load(environment)
        asyncio.run(installation.migrate(settings))
        yield Installation(folder, settings, environment)
