"""What a state folder itself knows: its secret, and the addresses of the servers running on it."""

import os
import secrets
import socket
from pathlib import Path

import msgspec

from insula.embedded.postgres import database_url
from insula.embedded.redis import redis_url
from insula.settings import Settings


def home_secret(home: Path) -> str:
    """The installation's secret, made on first use; the caller holds the folder's claim."""
    path = home / "secret"
    if not path.exists():
        draft = home / "secret.new"
        draft.touch(mode=0o600)
        with draft.open("w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    return path.read_text().strip()


def local_settings(settings: Settings) -> Settings:
    """Settings for a command beside a running ``insula up``: what the environment leaves open.

    Settings that neither the environment nor the folder knows stay empty.
    """
    home = settings.home.resolve()
    sockets = (home / "sockets").resolve()
    found: dict[str, str] = {}
    if not settings.secret_key and os.access(home / "secret", os.R_OK):
        found["secret_key"] = home_secret(home)
    if not settings.database_url and _answers(sockets / ".s.PGSQL.5432"):
        found["database_url"] = database_url(home, sockets)
    if not settings.redis_url and _answers(sockets / "redis.sock"):
        found["redis_url"] = redis_url(sockets)
    return msgspec.structs.replace(settings, **found)


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(address))
        except OSError:
            return False
        return True
