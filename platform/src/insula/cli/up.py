"""``insula up``: a whole installation on one machine, which is what ``make run`` starts."""

import asyncio
import json
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec
import rich_click as click
from rich.console import Console

from insula import __version__
from insula.settings import Settings

if TYPE_CHECKING:
    from insula.demo import DemoLogin
    from insula.embedded import EmbeddedServers
    from insula.embedded.supervision import StopRequest

_PORT_SECONDS = 5.0
"""For a port to be given up by an earlier run that has just been killed."""

Show = Callable[[str], None]
"""Tells the person waiting how far the current step is."""


@click.command()
def up() -> None:
    """Run everything: PostgreSQL and Redis (unless INSULA_…_URL names others), web and worker.

    State lives in INSULA_HOME. Ctrl-C or SIGTERM stops all of it.
    """
    from insula.embedded.supervision import StopRequest

    console = Console(highlight=False, markup=False, soft_wrap=True)
    with suppress(KeyboardInterrupt):  # asked to stop while starting: all that ran is stopped
        _run(console, StopRequest())
    console.print("Stopped.")


def _run(console: Console, stop: "StopRequest") -> None:
    from insula.embedded import EmbeddedServers, claim, make_home
    from insula.embedded.local import home_secret
    from insula.embedded.web import stop_leftovers_of

    settings = Settings.load()
    settings = msgspec.structs.replace(settings, home=settings.home.resolve())
    make_home(settings.home)
    with claim(settings.home):
        stop_leftovers_of(settings.home, (signal.SIGTERM, 5))
        _wait_for_ports(console, settings)
        console.print(f"Insula {__version__}, state in {settings.home}")
        secret = settings.secret_key or home_secret(settings.home)
        servers = EmbeddedServers(
            settings.home, postgres=not settings.database_url, redis=not settings.redis_url
        )
        with ExitStack() as running:
            with _step(console, _names(settings)):
                running.enter_context(servers)
            settings = msgspec.structs.replace(
                settings,
                secret_key=secret,
                database_url=settings.database_url or servers.database_url,
                redis_url=settings.redis_url or servers.redis_url,
            )
            _serve(console, settings, servers, stop)


def _wait_for_ports(console: Console, settings: Settings) -> None:
    """Give what is ending the time to end.

    A killed process shows nothing by which one could tell that it was ours as soon as its memory
    is gone; its sockets go after that, on a busy machine seconds after.
    """
    from insula.embedded.child import ticks
    from insula.serving import PortTaken, check_ports

    with console.status("Waiting for the ports"):
        for _ in ticks(_PORT_SECONDS, pause=0.05):
            with suppress(PortTaken):
                check_ports(settings)
                return
    check_ports(settings)


def _serve(
    console: Console, settings: Settings, servers: "EmbeddedServers", stop: "StopRequest"
) -> None:
    from insula.embedded.supervision import keep_alive
    from insula.embedded.web import Web, Worker

    demo = _prepare(console, settings)
    with Worker(settings) as worker, Web(settings) as web:
        with _step(console, "Web and worker"):
            web.wait_ready()
        stop.only_note()
        _welcome(console, settings, demo)
        keep_alive(servers, web, worker, stop, console.print)
        console.print("Stopping…")


def _prepare(console: Console, settings: Settings) -> "DemoLogin | None":
    """Install or migrate, and make sure of the demo tenant, whose access data is returned."""
    from insula import demo
    from insula.tenancy import installation

    with _step(console, "Database") as show:

        def progress(what: str, done: int, total: int, note: str = "") -> None:
            show(f"{what} {done}/{total} {note}".rstrip())

        report = asyncio.run(installation.migrate(settings, progress))
    for failure in (*report.failures, *report.locked):
        console.print(f"  {failure.tenant}, {failure.module}: {failure.error}")
    if report.stopped:
        console.print(f"  stopped: {report.stopped}")
    for step in report.skipped:
        console.print(f"  not possible on this server: {step}")
    with _step(console, "Demo tenant"):
        return asyncio.run(demo.ensure(settings))


def _names(settings: Settings) -> str:
    postgres = "your PostgreSQL" if settings.database_url else "PostgreSQL 18"
    redis = "your Redis" if settings.redis_url else "Redis"
    return f"{postgres}, {redis}"


@contextmanager
def _step(console: Console, title: str) -> Iterator[Show]:
    """A spinner while the step runs, and one line with its time when it is done."""
    started = time.monotonic()
    with console.status(title) as status:
        yield lambda detail: status.update(f"{title}: {detail}")
    console.print(f"  ✓ {title} ({time.monotonic() - started:.1f} s)")


def _welcome(console: Console, settings: Settings, demo: "DemoLogin | None") -> None:
    site = f"http://{_reachable(settings.host)}:{settings.port}"
    console.print(
        f"""
Insula runs at {site} (Ctrl-C stops it)

  API docs     {site}/docs
  Logs         {settings.home}/web.log, worker.log, postgres.log, redis.log"""
    )
    console.print("" if demo is None else _access(site, demo))


def _access(site: str, demo: "DemoLogin") -> str:
    login = json.dumps({"email": demo.email, "password": demo.password or "…"})
    return f"""  Demo tenant  {demo.tenant}
  Owner        {demo.email}
  Password     {demo.password or "is no longer the one we made"}

Log in:

  curl -s {site}/api/v1/sessions -H 'Insula-Tenant: {demo.tenant}' \\
    -H 'Content-Type: application/json' -d {shlex.quote(login)}
"""


def _reachable(host: str) -> str:
    """The host as a person on this machine would write it into a URL."""
    from insula.embedded.web import ask_at

    address = ask_at(host)
    return f"[{address}]" if ":" in address else address
