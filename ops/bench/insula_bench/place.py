"""Two installations side by side: a small one that stays, and one that grows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from insula_bench import cores, load
from insula_bench.crowd import Crowd, each_once
from insula_bench.installation import installed
from insula_bench.pacing import Request
from insula_bench.server import Server

CONNECTIONS = 4
_TENANTS_OF_BUCKET = 300


def buckets(tenants: int) -> int:
    """A login that may become thousands of tenants takes long to become one (FACTS.md)."""
    return min(100, max(4, -(-tenants // _TENANTS_OF_BUCKET)))


def pool_size(tenants: int) -> int:
    """So that all of them have their place on some connection, and no more connections."""
    return max(2, 8 * 4 // buckets(tenants))


class Place:
    """An installation and who is in it."""

    def __init__(self, crowd: Crowd, upto: int) -> None:
        self.crowd = crowd
        self.layout = f"{buckets(upto)} × {pool_size(upto)}"
        """Buckets, and connections of each."""

    @property
    def folder(self) -> Path:
        return self.crowd.installation.folder

    def grow(self, tenants: int) -> None:
        """With all cores; PostgreSQL leaves the web server's alone afterwards."""
        postmaster = self.folder / "state" / "postgres" / "postmaster.pid"
        pid = int(postmaster.read_text().split()[0])
        cores.move(pid, cores.ALL)
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
def opened(folder: Path, upto: int) -> Iterator[Place]:
    """Installed, for so many tenants in the end; nobody is there yet."""
    folder.mkdir(mode=0o711)
    with installed(
        folder, on=cores.ALL, buckets=buckets(upto), pool_size=pool_size(upto)
    ) as installation:
        yield Place(Crowd(installation), upto)


def visit_all(server: Server, requests: list[Request]) -> None:
    """Send each of them at least once."""
    messages, sent = each_once(requests), 0
    seconds = min(2.0, 0.05 + len(messages) / 1000)
    while sent < len(messages):
        run = load.run(server.port, messages[sent:], seconds=seconds, connections=CONNECTIONS)
        sent += run.requests
