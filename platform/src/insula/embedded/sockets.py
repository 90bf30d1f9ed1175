"""Where the servers' Unix sockets live.

Sockets in a folder that only its owner may enter: nobody else on the machine can even try a
password, there is no port to collide with another copy or another test worker, and a round trip
costs less than over loopback TCP. Their addresses hold 107 bytes, some shared file systems can't
have them at all, and drivers read a comma as a list of hosts; where the state folder fails by any
of these, a private folder under the system's temporary one serves, and a link in the state folder
remembers it.
"""

import os
import re
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from insula.embedded.account import Account

_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")
_LONGEST_NAME = ".s.PGSQL.00000"


def socket_folder(home: Path, account: Account) -> Path:
    """The folder for sockets of this state folder, made if need be."""
    place = home / "sockets"
    remembered = _remembered(place, account)
    if remembered is not None:
        return remembered
    place.mkdir(mode=0o700, exist_ok=True)
    if not _takes_sockets(place):
        place.rmdir()
        elsewhere = Path(tempfile.mkdtemp(prefix="insula-"))
        place.symlink_to(elsewhere)
        place = elsewhere
    account.give(place)
    return place


def release_socket_folder(home: Path) -> None:
    """Drop a folder that is not inside the state folder; it is empty once the servers stopped."""
    place = home / "sockets"
    if not place.is_symlink():
        return
    elsewhere = place.readlink()
    place.unlink()
    with suppress(OSError):  # somebody put a file there: theirs to keep
        elsewhere.rmdir()


def _remembered(place: Path, account: Account) -> Path | None:
    """The linked folder, if it is still the private one that we made."""
    if not place.is_symlink():
        return None
    elsewhere = place.readlink()
    try:
        found = elsewhere.lstat()
    except OSError:
        found = None
    owners = {account.uid, os.geteuid()}
    if found is not None and found.st_uid in owners and stat.S_IMODE(found.st_mode) == 0o700:
        return elsewhere
    place.unlink()
    return None


def _takes_sockets(folder: Path) -> bool:
    if not _PLAIN.fullmatch(str(folder)):
        return False
    trial = folder / _LONGEST_NAME
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(str(trial))
        except OSError:
            return False
    trial.unlink()
    return True
