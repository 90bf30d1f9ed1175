"""Our database logins and roles, and how each connects."""

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from insula.keys import login_password
from insula.settings import Settings, SettingsError

OWNER = "app_owner"
"""Owns every tenant's schema and tables; nobody logs in as it."""

PROVISIONER = "app_prov"
"""Creates tenants and migrates them; owns the catalogue."""


def bucket_login(bucket: int) -> str:
    """The login of a bucket: owns nothing, member of its own tenants' roles only."""
    return f"app_b{bucket:03d}"


def registrar(bucket: int) -> str:
    """Makes and drops the roles of a bucket's tenants (:mod:`insula.tenancy.registrars`)."""
    return f"app_r{bucket:03d}"


def login_url(settings: Settings, login: str, url: str = "") -> str:
    """``url``, else ``INSULA_DATABASE_URL``, with another login in it.

    Raises:
        SettingsError: there is no database URL.
    """
    url = url or settings.database_url
    if not url:
        raise SettingsError(
            "INSULA_DATABASE_URL is not set: start everything with `make run`, or name a server"
        )
    parts = urlsplit(without_login(url))
    password = login_password(settings.secret_key, login)
    netloc = f"{quote(login)}:{quote(password)}@{parts.netloc}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))


def without_login(url: str) -> str:
    """A database's address alone."""
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in _CREDENTIALS]
    address = parts.netloc.rpartition("@")[2]
    rest = urlunsplit(("", "", parts.path, urlencode(query), ""))
    return f"{parts.scheme}://{address}{rest}"  # urlunsplit drops the slashes of an empty address


_CREDENTIALS = frozenset({"user", "password", "passfile"})
