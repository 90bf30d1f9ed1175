"""Which database is meant: a URL that never was an argument, or the PG* environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import asyncpg
import msgspec

from insula_ops.backup.errors import BackupFailed

SOURCE = "INSULA_BACKUP_URL"
TARGET = "INSULA_RESTORE_URL"

_VARIABLES = {
    "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD",
    "dbname": "PGDATABASE", "passfile": "PGPASSFILE", "service": "PGSERVICE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY", "sslcrl": "PGSSLCRL", "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT", "gssencmode": "PGGSSENCMODE",
    "application_name": "PGAPPNAME", "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}  # fmt: skip

SETTINGS = {
    "application_name": "insula backup",
    "search_path": "",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "row_security": "off",  # better an error than a backup that lacks rows
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronize_seqscans": "off",
    "max_parallel_workers_per_gather": "0",
}
"""What pg_dump sets, and what makes one row's text the same in every session."""


class Address(msgspec.Struct, frozen=True):
    """A database. ``variables`` are what libpq's programs read; a password may be among them."""

    variables: dict[str, str]

    def environment(self) -> dict[str, str]:
        """The environment of a program that is to speak to this database and no other."""
        kept = {name: value for name, value in os.environ.items() if not _is_ours(name)}
        return kept | self.variables

    @property
    def shown(self) -> str:
        """Where it is, without the password."""
        host, port = self.variables.get("PGHOST", "localhost"), self.variables.get("PGPORT", "5432")
        user = self.variables.get("PGUSER", "")
        return f"{user}{'@' if user else ''}{host}:{port}/{self.variables.get('PGDATABASE', user)}"

    async def connect(self, **settings: str) -> Any:
        """A connection whose session is set up as pg_dump's.

        Raises:
            BackupFailed: there is nobody, or one is not let in.
        """
        options = {name: self.variables[each] for name, each in _DIRECT.items() if each in
                   self.variables}  # fmt: skip
        try:
            return await asyncpg.connect(
                **options, server_settings=SETTINGS | settings, statement_cache_size=0, timeout=30
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
            reason = self.redact(str(error) or type(error).__name__)
            raise BackupFailed(f"cannot connect to {self.shown}: {reason}") from None

    def redact(self, text: str) -> str:
        """``text`` without the password, however it is written."""
        password = self.variables.get("PGPASSWORD", "")
        for secret in (password, quote(password, safe="")) if password else ():
            text = text.replace(secret, "***")
        return text


_DIRECT = {
    "user": "PGUSER", "password": "PGPASSWORD", "database": "PGDATABASE", "host": "PGHOST",
    "port": "PGPORT", "passfile": "PGPASSFILE", "ssl": "PGSSLMODE",
}  # fmt: skip
"""What asyncpg takes as arguments. A certificate it reads from the environment alone, where
:func:`find` puts what the URL says of it."""


def find(variable: str, url_file: str | None, *, fall_back: bool) -> Address:
    """The URL in a file (``-``: standard input), or in ``variable``, or what PG* says.

    Raises:
        BackupFailed: there is none, or it cannot be understood.
    """
    if url_file is not None:
        url = sys.stdin.readline() if url_file == "-" else _read(Path(url_file))
    else:
        url = os.environ.get(variable, "")
    if url.strip():
        return parse(url.strip())
    known = {name: value for name, value in os.environ.items() if _is_ours(name) and value}
    if fall_back and ("PGDATABASE" in known or "PGSERVICE" in known or "PGHOST" in known):
        return Address(known)
    others = ", or PGHOST, PGDATABASE and the rest of libpq's variables" if fall_back else ""
    raise BackupFailed(
        f"no database named: set {variable}, or give --url-file FILE (- reads standard input)"
        f"{others}. A URL is never an argument, because arguments are seen by everybody on the "
        "machine."
    )


def parse(url: str) -> Address:
    """
    Raises:
        BackupFailed: this is no ``postgresql://`` URL, or has a parameter that is not known.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BackupFailed("the database's URL cannot be read") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise BackupFailed("the database's URL must begin with postgresql://")
    found = {
        "host": unquote(parts.hostname or ""),
        "port": str(port or ""),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
        **dict(parse_qsl(parts.query)),
    }
    if unknown := sorted(set(found) - set(_VARIABLES)):
        raise BackupFailed(f"the database's URL has what is not known here: {', '.join(unknown)}")
    variables = {name: value for name, value in os.environ.items() if _is_ours(name) and value}
    variables.pop("PGSERVICE", None)  # which libpq would prefer to what the URL says
    variables |= {_VARIABLES[name]: value for name, value in found.items() if value}
    _announce(variables)
    return Address(variables)


def refuse_urls(values: Mapping[str, Any]) -> None:
    """
    Raises:
        BackupFailed: an argument holds a password: it has been seen already, so it is no use.
    """
    for value in values.values():
        for word in value if isinstance(value, tuple | list) else (value,):
            if isinstance(word, str) and word.startswith(("postgres://", "postgresql://")):
                raise BackupFailed(
                    "a database's URL does not belong into the arguments, where everybody on the "
                    f"machine can read it: set {SOURCE} or {TARGET}, or give --url-file. If it "
                    "held a password, change that."
                )


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise BackupFailed(f"{path}: {error.strerror}") from None


def _announce(variables: Mapping[str, str]) -> None:
    os.environ.update(
        {name: value for name, value in variables.items() if name.startswith("PGSSL")}
    )


def _is_ours(name: str) -> bool:
    return name in _VARIABLES.values()
