"""Every setting of an installation, read once from the environment (prefix ``INSULA_``)."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


class SettingsError(Exception):
    """A setting is missing or cannot be read; the message names it and says what to do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one process; the field ``port`` is the variable ``INSULA_PORT``, etc."""

    home: Path = Path(".insula")
    """State of a self-contained installation: embedded servers' data, secret, logs."""
    host: str = "127.0.0.1"
    port: int = 8000
    metrics_port: int = 9464
    """Prometheus listener on ``host``, apart from the public one; 0 switches it off."""
    workers: int = 1
    database_url: str = ""
    """PostgreSQL URL of a login that may create roles; it is used to install and migrate only."""
    database_pooler_url: str = ""
    """PgBouncer in transaction mode in front of ``database_url``, through which requests and jobs
    reach tenants' data; installing, signing up and LISTEN go to the server itself."""
    redis_url: str = ""
    secret_key: str = ""
    """At least 32 characters. Signing keys and database passwords derive from it."""
    base_domain: str = "localhost"
    """A tenant's host is ``<slug>.<base_domain>``."""
    deletion_grace: int = 30
    """Days for which a deleted tenant can be brought back; then it goes for good."""
    slug_days: int = 90
    """How long the old slug of a renamed tenant leads to the new one and is nobody else's."""
    dns_servers: str = ""
    """Name servers, comma separated (``192.0.2.1,192.0.2.2:5353``), that are asked whose a domain
    is; empty for those of the machine."""
    domain_grace_days: int = 7
    """How long the record of a tenant's domain may be missing before it is no longer the
    tenant's."""
    buckets: int = 4
    """Login roles over which tenants are spread (DESIGN.md section 4)."""
    slots: int = 8
    """Empty tenants that workers keep built ahead for sign-ups; without one a sign-up builds its
    own, which takes some ten times as long."""
    pool_size: int = 8
    """Connections a worker keeps to each bucket at most."""
    connection_tenants: int = 200
    """Tenants that have their place on one connection, at most (insula.db.pool)."""
    connection_seconds: int = 1800
    """… or after this many seconds, or up to a quarter less."""
    connection_statements: int = 300
    """Statements that a connection keeps prepared for one tenant alone, at most: some 25 kB of the
    backend's memory each. 0: tenants share them all."""
    event_days: int = 30
    """How long a tenant's events are kept, at least, to be read and replayed."""
    body_limit: int = 5 << 20
    """Bytes of a request body; routes that take files declare their own."""
    files_url: str = ""
    """Where files are kept: empty for the folder ``files`` of ``home``, or ``s3://bucket/prefix``,
    with ``?endpoint=https://…&region=…`` for a server that is not Amazon's."""
    files_access_key: str = ""
    files_secret_key: str = ""
    """The S3 access; empty for what the machine has (environment, instance role)."""
    file_limit: int = 5 << 30
    """Bytes of one file."""
    files_quota: int = 10 << 30
    """Bytes that a tenant's files may take, unless the tenant has a quota of its own."""
    import_limit: int = 32 << 30
    """Bytes that an archive may unfold to which a tenant imports by itself."""
    upload_seconds: int = 86400
    """How long an unfinished upload can be taken up again after its last bytes."""
    trash_days: int = 30
    """How long a deleted file can be restored."""
    preview_pixels: int = 50_000_000
    """Pixels of an image that a preview is made of; larger ones are refused unread."""
    rate_limit: int = 6000
    """Requests a minute of one user, key or address, evenly (GCRA)."""
    rate_burst: int = 1000
    """Requests that may come at once on top of the even rate."""
    signup_limit: int = 200
    """Sign-ups a minute from one address."""
    login_limit: int = 20
    """Failed logins of one e-mail address in fifteen minutes."""
    access_token_seconds: int = 900
    refresh_token_seconds: int = 30 * 86400
    lasting_token_seconds: int = 7 * 86400
    """Life of an access token for clients that cannot refresh one (those of other products' APIs
    below ``/compat``). It can be revoked like any other."""
    live_log_length: int = 500
    """Messages of a live channel that are kept for clients who come back."""
    live_log_seconds: int = 3600
    """… and for how long after somebody last watched it."""
    live_channels: int = 100
    """Channels that one live connection may watch."""
    live_connections: int = 10_000
    """Live connections (WebSocket, SSE) of a tenant, over all replicas."""
    live_user_connections: int = 100
    """… and of one user."""
    live_recheck_seconds: float = 15
    """How often session, rights and tenant of a live connection are looked at again. One of a
    replica that died is forgotten after three times as long."""
    live_heartbeat_seconds: float = 20
    """How often something is sent to whoever would hear nothing otherwise."""
    trusted_proxies: str = "127.0.0.1,::1"
    """Addresses, comma separated, whose ``X-Forwarded-For`` is believed."""
    egress_allow: str = ""
    """Networks, comma separated (``127.0.0.0/8,::1/128``), that webhooks and other calls going out
    may reach although they are not public. Dangerous: every tenant's admin may then have Insula
    call what listens there. For development, and for receivers of your own."""
    egress_deny: str = ""
    """Networks that they may not reach although they are public: your own servers' other ports."""
    smtp_url: str = ""
    """Where mail goes: ``smtp://user:password@host:587`` (STARTTLS, which must work if there is a
    password), ``smtps://…:465`` (TLS from the first byte). Empty: mail waits and is then a dead
    job."""
    mail_from: str = "Insula <insula@localhost>"
    """The sender of all mail."""
    mail_capture: bool = False
    """For development: keep mail in ``home`` instead of sending it, and show it at ``/dev/mail`` to
    everybody on this machine. `insula up` sets it where there is no ``smtp_url``."""
    access_log: bool = True
    log_level: str = "info"
    otlp_endpoint: str = ""
    """OTLP/HTTP endpoint for traces (``http://collector:4318``); empty switches export off."""
    trace_ratio: float = 0.01
    """Share of requests traced when the caller did not decide."""

    broker_url: str = ""
    """``amqp://user:password@host`` (RabbitMQ) or ``kafka://host:port,host:port``: every event goes
    there as a CloudEvent. Empty: there is no broker."""
    broker_topic: str = "insula.events"
    """RabbitMQ's topic exchange, or Kafka's topic, that events go to."""
    broker_inbound: str = "insula.inbound"
    """The queue or topic that events for tenants are taken from; empty: none are."""
    job_concurrency: int = 10
    """Jobs that a worker runs at the same time."""
    job_tenant_limit: int = 5
    """Jobs that one tenant has in hand at the same time, over all workers: the rest of the places
    are the others'."""
    job_lease_seconds: float = 30
    """A worker that has not been heard of for so long has died, and its jobs are run again."""
    job_drain_seconds: int = 25
    """How long a worker that is to stop lets its jobs finish; then it gives them back."""
    job_keep_days: int = 14
    """Jobs that are over are kept for so long."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":
        """Read the environment; ``overrides`` win.

        Raises:
            SettingsError: a value does not fit its type.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {
            field.name: environ[f"INSULA_{field.name.upper()}"]
            for field in msgspec.structs.fields(cls)
            if environ.get(f"INSULA_{field.name.upper()}", "") != ""
        }
        try:
            return msgspec.convert(values | overrides, cls, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            raise SettingsError(f"Bad setting: {error} (variables are named INSULA_…).") from error


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    raise NotImplementedError(kind)
