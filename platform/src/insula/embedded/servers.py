"""The embedded servers of one state folder, started and stopped together."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from insula.embedded.account import account_for
from insula.embedded.claim import claim
from insula.embedded.postgres import Postgres
from insula.embedded.postgres import programs as postgres_programs
from insula.embedded.redis import Redis
from insula.embedded.redis import program as redis_program
from insula.embedded.sockets import release_socket_folder, socket_folder

Server = Postgres | Redis


class EmbeddedServers:
    """``with EmbeddedServers(home) as servers:`` gives ``database_url`` and ``redis_url``.

    ``durable=False`` is for tests: data may be lost in a crash, and stopping takes no time.
    Enter it in a thread that lives on (the main one): the servers are told to stop when the
    thread that started them ends.
    """

    def __init__(
        self, home: Path, *, durable: bool = True, postgres: bool = True, redis: bool = True
    ) -> None:
        self.home = home.resolve()
        self.database_url = ""
        self.redis_url = ""
        self._durable = durable
        self._wanted = [kind for kind, yes in ((Postgres, postgres), (Redis, redis)) if yes]
        self._servers: list[Server] = []
        self._sockets = Path()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Start what is wanted and wait until it answers.

        Raises:
            FolderBusy: another process runs servers on this folder.
            ServerFailed: a server did not start.
        """
        make_home(self.home)
        with ExitStack() as undo:
            undo.enter_context(claim(self.home, "servers.lock"))
            undo.callback(release_socket_folder, self.home)
            account = account_for(self.home, postgres_programs() / "postgres", redis_program())
            self._servers = [
                each(self.home, account, durable=self._durable) for each in self._wanted
            ]
            self._sockets = socket_folder(self.home, account)
            for server in self._servers:
                undo.callback(server.stop)
                server.start(self._sockets)
            for server in self._servers:
                server.wait_ready()
            self._exit = undo.pop_all()
        self._take_urls()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def dead(self) -> list[Server]:
        """The servers whose process has ended; ``revive`` brings one back."""
        return [each for each in self._servers if each.process and each.process.poll() is not None]

    def revive(self, server: Server) -> None:
        """Start a server again at the same address."""
        server.start(self._sockets)
        server.wait_ready()

    def _take_urls(self) -> None:
        for server in self._servers:
            if isinstance(server, Postgres):
                self.database_url = server.url(self._sockets)
            else:
                self.redis_url = server.url(self._sockets)


def make_home(home: Path) -> None:
    """Make the state folder, which others may not list.

    Root's own may be passed through, because the servers under it run as another user and then
    need no capability to reach their files, each in a folder of their own.
    """
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
