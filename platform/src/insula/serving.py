"""The web processes: Granian, the metrics listener, and a shutdown that loses no request."""

import ctypes
import importlib
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from insula.closing import no_newcomers
from insula.collector import loading
from insula.settings import Settings, SettingsError
from insula.telemetry.logs import configure_logs

DRAIN_FILE = "INSULA_DRAIN_FILE"
"""Environment variable of the workers: once this file exists, ``/health/ready`` answers 503."""

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable by which prometheus_client finds the files that the workers count in."""

_CONNECTIONS = 8192
"""What a worker accepts at once; Granian's own 1024 are soon taken by idle clients."""
_CLOSING_SECONDS = 0.5
"""For all workers to close their listeners once they were told to stop."""
_KILL_SECONDS = 10
"""What requests in flight get to finish once a worker was told to stop."""


class PortTaken(SettingsError):
    """A port of ours can't be listened on; the message says which setting names it."""


def check_ports(settings: Settings) -> None:
    """Find out before anything is started.

    Granian's sockets share their port with whoever asks, so a second server would not fail: it
    would take half of the connections.

    Raises:
        PortTaken: the web's or the metrics' port is in use or not allowed.
    """
    _check(settings.host, settings.port, "INSULA_PORT")
    if settings.metrics_port:
        _check(settings.host, settings.metrics_port, "INSULA_METRICS_PORT")


def serve(
    settings: Settings, target: str = "insula.app:create_app", drain_seconds: float = 0
) -> None:
    """Serve the application that the factory ``target`` makes until SIGINT or SIGTERM.

    SIGTERM first turns readiness off and keeps serving for ``drain_seconds``, which is for load
    balancers to notice, then takes nobody new and answers who is connected; a second one skips
    that.

    Raises:
        PortTaken: see :func:`check_ports`.
    """
    check_ports(settings)
    _allow_open_files()
    # A worker imports everything afresh: prometheus_client decides at import where it counts,
    # and a fork would carry the metrics listener's thread and socket along.
    multiprocessing.set_start_method("spawn", force=True)
    with _shared_folder() as folder:
        os.environ[METRICS_FOLDER] = str(folder)
        os.environ[DRAIN_FILE] = str(folder / "draining")
        server = _server(settings, target)
        close = partial(_close, server, settings)
        flag = folder / "draining"
        server.on_startup(lambda: _drain_on_sigterm(server, flag, drain_seconds, close))
        with _metrics_listener(settings, folder):
            server.serve(target_loader=load_application)


def _allow_open_files() -> None:
    """A connection is a file; shells hand out 1024 where the kernel would allow a million."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _CONNECTIONS if hard == resource.RLIM_INFINITY else min(2 * _CONNECTIONS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def load_application(target: str) -> Any:
    """In a worker: import the factory named ``module:name`` and make the application."""
    os.setpgid(0, 0)  # a signal to the group is the main process's to pass on, after draining
    _end_with_parent()
    configure_logs(sys.stdout)
    module, _, name = target.partition(":")
    with loading():
        return getattr(importlib.import_module(module), name)()


def _end_with_parent() -> None:
    """Have the kernel kill this process when its parent is killed.

    A worker would otherwise go on serving the port that the next server listens on, too.
    """
    if sys.platform != "linux":
        return
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG in <linux/prctl.h>
    ctypes.CDLL(None).prctl(set_parent_death_signal, int(signal.SIGKILL))
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it died before the line above
        sys.exit(1)


def _server(settings: Settings, target: str) -> MPServer:
    return MPServer(
        target,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,  # what a proxy speaks to us; HTTP/2 is the gateway's
        http1_settings=HTTP1Settings(header_read_timeout=10_000, max_buffer_size=64 << 10),
        respawn_failed_workers=True,
        backpressure=_CONNECTIONS,
        workers_kill_timeout=_KILL_SECONDS,
        log_access=False,
        log_level=_granian_level(settings.log_level),
    )


def _granian_level(level: str) -> LogLevels:
    try:
        return LogLevels(level.lower())
    except ValueError:
        return LogLevels.info


def _drain_on_sigterm(
    server: MPServer, flag: Path, seconds: float, close: Callable[[], None]
) -> None:
    def drain(number: int, frame: object) -> None:
        if flag.exists() or seconds <= 0:
            flag.touch()
            server.signal_handler_interrupt()  # type: ignore[no-untyped-call]
            return
        flag.touch()
        timer = threading.Timer(seconds, close)
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, drain)


def _close(server: MPServer, settings: Settings) -> None:
    try:
        with no_newcomers(settings.host, settings.port, settings.workers):
            server.signal_handler_interrupt()  # type: ignore[no-untyped-call]
            time.sleep(_CLOSING_SECONDS)
    finally:
        server.signal_handler_interrupt()  # type: ignore[no-untyped-call]


@contextmanager
def _shared_folder() -> Iterator[Path]:
    """An empty folder that main process and workers share for counters and the drain flag.

    ``PROMETHEUS_MULTIPROC_DIR`` may name it; what an earlier run left in it is removed.
    """
    named = os.environ.get(METRICS_FOLDER)
    folder = Path(named) if named else Path(tempfile.mkdtemp(prefix="insula-web-"))
    if named:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _metrics_listener(settings: Settings, folder: Path) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    registry = CollectorRegistry()
    registry.register(_WorkerMetrics(folder))
    listener, thread = start_http_server(settings.metrics_port, settings.host, registry)
    try:
        yield
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class _WorkerMetrics(Collector):
    """The sum over all workers; gauges of workers that are gone don't count."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sum = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        for pid in {int(file.stem.rpartition("_")[2]) for file in self._folder.glob("gauge_*.db")}:
            if not _is_alive(pid):
                mark_process_dead(pid, str(self._folder))  # type: ignore[no-untyped-call]
        yield from self._sum.collect()  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _check(host: str, port: int, setting: str) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or error
        raise PortTaken(f"{setting}: {host}:{port} cannot be listened on: {reason}") from error
