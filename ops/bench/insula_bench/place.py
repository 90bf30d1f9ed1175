"""Two installations side by side: a small one that stays, and one that grows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from insula_bench import cores, load
from insula_bench.crowd import Crowd, each_once
from insula_bench.installation import installed
from insula_bench.pacing import Request
from insula_bench.server import Server

CONNECTIONS = 4
OF_A_CELL = 2000
"""Tenants that a database is to hold (docs/guides/operating.md)."""
TENANTS_OF_CONNECTION = 1000
"""That have their place there, at most."""
_TENANTS_OF_BUCKET = 2000
_STATEMENTS = 1500
"""Of a connection, prepared for one tenant alone: more than one for each of them."""


class Layout(NamedTuple):
    """Over which databases of the server so many tenants are spread, and how they are reached."""

    cells: int
    buckets: int
    """Of each of them."""
    connections: int
    """Of each bucket."""

    def __str__(self) -> str:
        return " × ".join(map(str, self))


def layout(tenants: int, of_a_cell: int) -> Layout:
    """As docs/guides/operating.md has it: with one database Insula's own defaults, with several few
    connections to each, on which all of its tenants have their places."""
    cells = max(1, -(-tenants // of_a_cell))
    buckets = -(-min(tenants, of_a_cell) // _TENANTS_OF_BUCKET)
    return Layout(1, max(4, buckets), 8) if cells == 1 else Layout(cells, buckets, 3)


class Place:
    """An installation and who is in it."""

    def __init__(self, crowd: Crowd, upto: int, of_a_cell: int) -> None:
        self.crowd = crowd
        self._of_a_cell = of_a_cell
        self._most = layout(upto, of_a_cell)

    @property
    def layout(self) -> Layout:
        """As it is now."""
        return self._most._replace(cells=self.crowd.cells)

    @property
    def folder(self) -> Path:
        return self.crowd.installation.folder

    def grow(self, tenants: int) -> None:
        """With all cores; PostgreSQL leaves the web server's alone afterwards."""
        postmaster = self.folder / "state" / "postgres" / "postmaster.pid"
        pid = int(postmaster.read_text().split()[0])
        cores.move(pid, cores.ALL)
        while self.crowd.cells < layout(tenants, self._of_a_cell).cells:
            self.crowd.add_cell(self._most.buckets, self._of_a_cell)
        self.crowd.grow(tenants)
        cores.move(pid, cores.OTHERS)

    @contextmanager
    def serving(self) -> Iterator[Server]:
        """A web server where every tenant has been asked twice: it knows tokens and tenants, and
        PostgreSQL's backends know their tables."""
        environment = self.crowd.installation.environment | {"INSULA_ACCESS_LOG": "0"}
        with Server("insula.app:create_app", environment, self.folder / "web.log") as server:
            requests = self.crowd.reads()
            for _ in range(2):
                visit_all(server, requests)
            yield server


@contextmanager
def opened(folder: Path, upto: int, of_a_cell: int = OF_A_CELL) -> Iterator[Place]:
    """Installed, for so many tenants in the end, in databases of so many; nobody is there yet."""
    folder.mkdir(mode=0o711)
    most = layout(upto, of_a_cell)
    with installed(
        folder,
        on=cores.ALL,
        buckets=most.buckets,
        pool_size=most.connections,
        connection_tenants=TENANTS_OF_CONNECTION,
        connection_statements=_STATEMENTS,
    ) as installation:
        yield Place(Crowd(installation), upto, of_a_cell)


def visit_all(server: Server, requests: list[Request]) -> None:
    """Send each of them at least once."""
    messages, sent = each_once(requests), 0
    seconds = min(2.0, 0.05 + len(messages) / 1000)
    while sent < len(messages):
        run = load.run(server.port, messages[sent:], seconds=seconds, connections=CONNECTIONS)
        sent += run.requests
