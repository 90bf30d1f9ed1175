"""A PostgreSQL in which a command may build something and throw it away."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from insula.cli.operating import installation_settings
from insula.embedded import EmbeddedServers


@contextmanager
def scratch_server() -> Iterator[str]:
    """The URL of the installation's server, or of an embedded one started for the purpose."""
    if url := installation_settings().database_url:
        yield url
        return
    with (
        tempfile.TemporaryDirectory(prefix="insula-scratch-") as folder,
        EmbeddedServers(Path(folder) / "home", durable=False, redis=False) as servers,
    ):
        yield servers.database_url
