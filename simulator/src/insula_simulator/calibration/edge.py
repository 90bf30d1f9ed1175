"""A real NGINX as an edge, on loopback, in a folder of its own.

NGINX enforces ``max_size`` from its cache manager, which looks only once in ten seconds while
nothing expires (``ngx_http_file_cache_manager``). That is often for a busy edge's hour and far too
seldom for the same hour played in a minute. So a second, tiny cache is kept full of objects that
expire within a second: the manager takes one of them each ``manager_sleep``, and looks at the real
cache on the same round. The cache loader, which would reorder the queue a minute after the start,
is sent to sleep on its first file.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

NAME = "nginx"
PATIENCE = 20.0
"""Seconds for a process to start or to end."""
NODE = 160
"""Bytes of the keys' zone for each object, with room to spare: a node is 128 with its slab."""
SEVERITIES = ("emerg", "alert", "crit", "error")
HARMLESS = "ignore long locked inactive cache entry"
"""Who comes second for an object waits half a second at a time for it (``proxy_cache_lock``); in a
small cache it is due for eviction by then, and is passed over."""


class CalibrationError(Exception):
    """It cannot be measured; the message says what to do."""


_CONFIGURATION = Template("""\
$user
worker_processes 1;
daemon off;
pid $folder/nginx.pid;
error_log $folder/error.log warn;
events { worker_connections 1024; }
http {
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    proxy_cache_path $folder/cache levels=1:2 keys_zone=edge:$zone max_size=$size inactive=3650d
        use_temp_path=off manager_files=100000 manager_sleep=10ms manager_threshold=1s
        loader_files=1 loader_sleep=1h;
    proxy_cache_path $folder/clock keys_zone=clock:8m inactive=1s use_temp_path=off
        manager_files=1 manager_sleep=10ms loader_files=1 loader_sleep=1h;
    upstream origin {
        server 127.0.0.1:$origin;
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }
    server {
        listen 127.0.0.1:$port;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_cache_valid 200 3650d;
        proxy_cache_lock on;
        proxy_buffers 16 32k;
        add_header X-Cache-Status $$upstream_cache_status;
        add_header X-Worker $$pid;
        location ~ "^/(?<object>[0-9a-f]{16})/" {
            proxy_cache edge;
            proxy_cache_key $$object;
            proxy_pass http://origin;
        }
        location /tick/ {
            proxy_cache clock;
            proxy_cache_key $$uri;
            proxy_pass http://origin;
        }
    }
}
""")


@dataclass(frozen=True, slots=True)
class Edge:
    """A running NGINX. ``block`` is what it counts sizes in: the file system's."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    version: str

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def block(self) -> int:
        return os.statvfs(self.folder).f_bsize

    def reload(self) -> None:
        """A new worker, and a new manager that looks at once. The caches stay."""
        self.process.send_signal(signal.SIGHUP)

    def complaints(self) -> list[str]:
        """What it logged that makes a measurement worthless."""
        lines = (self.folder / "error.log").read_text("utf-8", "replace").splitlines()
        severe = [line for line in lines if any(f"[{x}]" in line for x in SEVERITIES)]
        return [line for line in severe if HARMLESS not in line]


@contextmanager
def running(size: int, objects: int, folder: Path | None = None) -> Iterator[Edge]:
    """An edge with a cache of ``size`` bytes before an origin, both gone afterwards.

    Raises:
        CalibrationError: NGINX is not installed or does not start, or the disk is too small.
    """
    found = shutil.which(NAME) or shutil.which(NAME, path="/usr/sbin:/usr/local/sbin:/sbin")
    if not found:
        raise CalibrationError(
            "nginx is not installed; install it (on Debian: apt install nginx) or put it on PATH"
        )
    version = subprocess.run(  # noqa: S603
        [found, "-v"], capture_output=True, text=True, check=False
    ).stderr
    with tempfile.TemporaryDirectory(prefix="insula-calibrate-", dir=folder) as name:
        place = Path(name)
        free = shutil.disk_usage(place).free
        if free < 1.5 * size:
            raise CalibrationError(
                f"a cache of {size:,} bytes needs half as much again free at {place.parent}, "
                f"where {free:,} are; choose another --folder or a smaller --size"
            )
        with _origin() as origin:
            port = _free_port()
            _configure(place, port, origin, size, objects)
            with _ending(_start(found, place)) as process:
                _await_start(process, port, place)
                yield Edge(process, port, place, version.strip().rpartition("/")[2])


@contextmanager
def _origin() -> Iterator[int]:
    command = [sys.executable, "-m", f"{__package__}.origin"]
    with _ending(
        subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    ) as process:
        assert process.stdout
        line = process.stdout.readline()
        if not line.strip().isdigit():
            raise CalibrationError("the origin did not start; its complaint is above")
        yield int(line)


def _configure(folder: Path, port: int, origin: int, size: int, objects: int) -> None:
    user = ""
    if os.geteuid() == 0:  # otherwise workers become nobody, who cannot enter the folder
        user = f"user {pwd.getpwuid(0).pw_name} root;"
    text = _CONFIGURATION.substitute(
        user=user, folder=folder, port=port, origin=origin, size=size,
        zone=(1 << 20) + NODE * objects,
    )  # fmt: skip
    (folder / "nginx.conf").write_text(text)


def _start(found: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [found, "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a terminal's interrupt is for us, who end it in order
    )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _await_start(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    log = folder / "error.log"
    said = log.read_text("utf-8", "replace").strip() if log.exists() else ""
    raise CalibrationError(f"nginx did not start: {said or 'it gave no reason'}")


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
