"""The embedded servers of one state folder, started and stopped together."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from insula.embedded import postgres, redis
from insula.embedded.account import account_for
from insula.embedded.claim import claim
from insula.embedded.postgres import Postgres
from insula.embedded.redis import Redis
from insula.embedded.sockets import release_socket_folder, socket_folder


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
        self.running: list[Postgres | Redis] = []
        self._durable = durable
        self._wanted = [kind for kind, yes in ((Postgres, postgres), (Redis, redis)) if yes]
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
            if self._wanted:
                self._start(undo)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _start(self, undo: ExitStack) -> None:
        account = account_for(self.home, postgres.programs() / "postgres", redis.program())
        sockets = socket_folder(self.home, account)
        undo.callback(release_socket_folder, self.home)
        self.running = [
            kind(self.home, sockets, account, durable=self._durable) for kind in self._wanted
        ]
        for server in self.running:
            undo.callback(server.stop)
            server.start()
        for server in self.running:
            server.wait_ready()
        if Postgres in self._wanted:
            self.database_url = postgres.database_url(self.home, sockets)
        if Redis in self._wanted:
            self.redis_url = redis.redis_url(sockets)


def make_home(home: Path) -> None:
    """Make the state folder, which others may not list.

    Root's own may be passed through, because the servers under it run as another user and then
    need no capability to reach their files, each in a folder of their own.
    """
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(0o711 if os.geteuid() == 0 else 0o700)
