"""Web and worker of ``insula up``: a process group each, started and stopped as a whole."""

import http.client
import os
import signal
import sys
from pathlib import Path
from typing import ClassVar, Self

from insula.embedded import child
from insula.embedded.account import Account, run_as
from insula.embedded.errors import ServerFailed
from insula.embedded.leftovers import environment, stop_leftovers
from insula.settings import Settings

_MARK = "INSULA_SUPERVISED"
"""Environment variable by which processes of a state folder are found again."""
_READY_SECONDS = 120.0
_STOP_SECONDS = 15.0


def stop_leftovers_of(home: Path, *steps: tuple[signal.Signals, float], name: str = "") -> bool:
    """Stop processes of this state folder that nobody supervises, those called ``name`` or all of
    them; whether there were any."""
    marks = {f"{_MARK}={home}:{part}" for part in ((name,) if name else ("web", "worker"))}

    def belongs(entry: Path) -> bool:
        return not marks.isdisjoint(environment(entry))

    return stop_leftovers(belongs, *steps, (signal.SIGKILL, 5))


def ask_at(host: str) -> str:
    """An address at which this machine reaches what listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (asked, not bound)


class Own:
    """A process of Insula itself, ``insula <command>``; every setting is already resolved."""

    name: ClassVar[str]
    command: ClassVar[str]

    def __init__(self, settings: Settings) -> None:
        self.log = settings.home / f"{self.name}.log"
        self.process: child.Process | None = None
        self._settings = settings

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        stop_leftovers_of(self._settings.home, name=self.name)
        ours = Account(os.geteuid(), os.getegid())
        command = [sys.executable, "-m", "insula.cli", self.command]
        self.process = child.start(
            run_as(ours, signal.SIGTERM) + command, self.log, self._environ()
        )

    def stop(self) -> None:
        """Let what is under way finish, then end every process that is left.

        A web worker without its main process would keep the port.
        """
        if self.process is None:
            return
        child.stop(self.process, (signal.SIGTERM, _STOP_SECONDS))
        stop_leftovers_of(self._settings.home, name=self.name)
        self.process.wait()

    def _environ(self) -> dict[str, str]:
        settings = self._settings
        return {
            "INSULA_DRAIN_SECONDS": "0",  # nobody balances load over this one
            **os.environ,
            _MARK: f"{settings.home}:{self.name}",
            "INSULA_MAIL_CAPTURE": "" if settings.smtp_url else "true",
            "INSULA_HOME": str(settings.home),
            "INSULA_DATABASE_URL": settings.database_url,
            "INSULA_REDIS_URL": settings.redis_url,
            "INSULA_SECRET_KEY": settings.secret_key,
            "PROMETHEUS_MULTIPROC_DIR": str(settings.home / "metrics"),
            "PYTHONUNBUFFERED": "1",
        }


class Worker(Own):
    """``insula worker`` as a child process."""

    name = "worker"
    command = "worker"

    def _environ(self) -> dict[str, str]:
        environ = super()._environ()
        del environ["PROMETHEUS_MULTIPROC_DIR"]  # the web's, which empties it when it starts
        return environ


class Web(Own):
    """``insula serve`` as a child process."""

    name = "web"
    command = "serve"

    def wait_ready(self) -> None:
        """Return once ``/health/ready`` answers 200.

        Raises:
            ServerFailed: it ended, or was not ready in two minutes; with its last answer and log.
        """
        answer = "no answer"
        for _ in child.ticks(_READY_SECONDS, pause=0.05):
            if self.process is None or self.process.poll() is not None:
                answer = "it ended"
                break
            status, answer = self._ask()
            if status == 200:
                return
        raise ServerFailed(f"the web did not get ready: {answer}\n{child.log_tail(self.log)}")

    def _ask(self) -> tuple[int, str]:
        host, port = ask_at(self._settings.host), self._settings.port
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            response = connection.getresponse()
            body = response.read(2000).decode(errors="replace")
            return response.status, f"{response.status} {body}"
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()
