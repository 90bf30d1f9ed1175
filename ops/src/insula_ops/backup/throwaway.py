"""A server of our own that exists for as long as a drill takes."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from insula_ops.backup import programs
from insula_ops.backup.address import Address
from insula_ops.backup.errors import BackupFailed

_LOGIN = "drill"
_START_SECONDS = 120.0
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_locks_per_transaction": "2048",
    "max_wal_size": "4GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_SOCKETS = "/tmp" if os.path.isdir("/tmp") else None
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@contextmanager
def server(version: int, encoding: str, folder: str | None) -> Iterator[Address]:
    """A running server of at least this major version, and in it an empty database. It listens on
    a socket that only its own user (and root) can reach. All of it is gone afterwards.

    Raises:
        BackupFailed: it does not start.
    """
    with (
        TemporaryDirectory(prefix="insula-drill-", dir=folder) as name,
        # A socket's path has 107 bytes at most, and the folder may be anywhere.
        TemporaryDirectory(prefix="insula-drill-", dir=_SOCKETS) as sockets,
    ):
        home = Path(name)
        prefix = _prepare(home, Path(sockets))
        initdb = [*prefix, programs.find("initdb", version), "-D", str(home / "data")]
        _run([*initdb, "-U", _LOGIN, "--auth=trust", "--no-sync", "--no-instructions",
              f"--encoding={encoding}", "--locale=C"])  # fmt: skip
        settings = _SETTINGS | {"unix_socket_directories": f'"{sockets}"'}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        postgres = [*prefix, programs.find("postgres", version), "-D", str(home / "data"), *options]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                postgres, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_ENVIRONMENT
            )
        try:
            _wait(process, home)
            yield Address({"PGHOST": sockets, "PGUSER": _LOGIN, "PGDATABASE": "postgres"})
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()


def _prepare(*folders: Path) -> list[str]:
    """Give the folders to whom the server runs as: PostgreSQL refuses to be root."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    dies_with_us = ["--pdeathsig=QUIT", "--"]
    if os.geteuid() != 0:
        return [setpriv, *dies_with_us] if setpriv else []
    if setpriv is None:
        raise BackupFailed("as root, a drill needs `setpriv` (package util-linux)")
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return [
        *(setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"),
        *dies_with_us,
    ]


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_ENVIRONMENT, check=False
    )
    if done.returncode != 0:
        raise BackupFailed(f"initdb failed: {done.stdout.decode('utf-8', 'replace')[-4000:]}")


def _wait(process: "subprocess.Popen[bytes]", home: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            lines = (home / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            lines = []
        if len(lines) > 7 and lines[7].startswith("ready"):
            return
        time.sleep(0.02)
    log = (home / "log").read_text("utf-8", "replace")
    raise BackupFailed(f"the throw-away server did not start: {log[-4000:]}")
