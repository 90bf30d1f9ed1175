"""Which user the embedded servers run as, and the command prefix that makes it so.

PostgreSQL refuses to run as root. Started by root, both servers run as a user id that no
account has, so that nobody else's process shares it. Nothing on the machine is changed for that:
no account is created and no folder is opened up. Where the state or the programs lie behind a
folder that this id may not enter (``/root`` is 0700), the servers get the one capability that
lets them read past it.
"""

import os
import pwd
import shutil
import signal
import sys
import zlib
from pathlib import Path

import msgspec

from insula.embedded.errors import ServerFailed

_CAPABILITIES = (("dac_read_search", 2), ("dac_override", 1))
"""Name and bit, the weaker one first: a container's root often has only the second."""


class Account(msgspec.Struct, frozen=True):
    """The user a server runs as; ``capability`` is what it needs to reach its files, or empty."""

    uid: int
    gid: int
    capability: str = ""

    @property
    def foreign(self) -> bool:
        """Whether files have to be handed over to it."""
        return self.uid != os.geteuid()

    def give(self, path: Path) -> None:
        if self.foreign:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def give_tree(self, folder: Path) -> None:
        if not self.foreign:
            return
        for root, folders, files in os.walk(folder):
            for name in (*folders, *files):
                self.give(Path(root, name))
        self.give(folder)


def account_for(home: Path, *programs: Path) -> Account:
    """The account for all servers of a state folder: the one that owns their data already."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    capability = _capability(home, *programs)
    for data in (home / "postgres", home / "redis"):
        if data.exists() and (owner := data.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, capability)
    uid = _unused_uid(home)
    return Account(uid, uid, capability)


def account_to_initialise(account: Account) -> Account:
    """``initdb`` insists on a user that has a name: root lets ``nobody`` run it."""
    if not account.foreign:
        return account
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid, account.capability)


def run_as(account: Account, at_parent_death: signal.Signals) -> list[str]:
    """Command prefix: become ``account``, and get this signal when the starting thread ends.

    Raises:
        ServerFailed: root without ``setpriv`` can't become anybody else.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        if account.foreign:
            raise ServerFailed("as root, the embedded servers need `setpriv` (package util-linux)")
        return []  # no parent-death signal: what a kill leaves, the next start finds and stops
    prefix = [setpriv, "--no-new-privs", f"--pdeathsig={at_parent_death.name[3:]}"]
    if account.foreign:
        prefix += [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
        if account.capability:
            prefix += [
                f"--inh-caps=+{account.capability}",
                f"--ambient-caps=+{account.capability}",
                "--securebits=+no_setuid_fixup",  # or access(2), which initdb asks, ignores it
            ]
    return [*prefix, "--"]


def _unused_uid(home: Path) -> int:
    named = {entry.pw_uid for entry in pwd.getpwall()}
    first = 20_000 + zlib.crc32(bytes(home)) % 20_000
    return next(uid for uid in range(first, first + len(named) + 1) if uid not in named)


def _capability(*paths: Path) -> str:
    if all(_open_to_all(path.resolve()) for path in paths):
        return ""
    bounding = _bounding_set()
    for name, bit in _CAPABILITIES:
        if bounding >> bit & 1:
            return name
    return ""


def _open_to_all(path: Path) -> bool:
    folders = [*path.parents, path] if path.is_dir() else list(path.parents)
    readable = path.is_dir() or path.stat().st_mode & 0o005 == 0o005
    return readable and all(folder.stat().st_mode & 0o001 for folder in folders)


def _bounding_set() -> int:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("CapBnd:")), "CapBnd: 0")
    return int(line.split()[1], 16)
