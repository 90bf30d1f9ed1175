"""Whether a backup is what was written: without a server, and without a key."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from insula_ops.backup import manifest
from insula_ops.backup import place as places
from insula_ops.backup.errors import BackupFailed, Damaged
from insula_ops.backup.manifest import File
from insula_ops.backup.place import Place


class Verdict(msgspec.Struct, frozen=True):
    name: str
    files: int
    size: int
    faults: list[str]
    quick: bool

    @property
    def good(self) -> bool:
        return not self.faults


def verify(
    place: Place, name: str, *, quick: bool, jobs: int, report: Callable[[int], None]
) -> Verdict:
    """Hold every file against the manifest: its size, and unless ``quick`` its SHA-256.

    ``report`` gets the bytes of each file that has been read.
    """
    try:
        made = places.read_manifest(place, name)
        found = place.sizes(name)
    except Damaged as error:
        return Verdict(name, 0, 0, [str(error)], quick)
    faults = [*_manifest_faults(place, name, made.files)]
    faults += [f"{file.name} is missing" for file in made.files if file.name not in found]
    present = [file for file in made.files if file.name in found]
    expected = {file.name for file in made.files} | {manifest.MANIFEST, manifest.SUMS}
    faults += [f"{file} was not written by us" for file in sorted(set(found) - expected)]

    def check(file: File) -> str | None:
        fault = None
        if quick:
            if found[file.name] != file.size:
                fault = f"{file.name} has {found[file.name]} bytes, {file.size} were written"
        else:
            fault = _read(place, name, file)
        report(file.size)
        return fault

    with ThreadPoolExecutor(jobs) as pool:
        faults += [fault for fault in pool.map(check, present) if fault]
    return Verdict(name, len(made.files), made.size, faults, quick)


def _read(place: Place, name: str, file: File) -> str | None:
    try:
        for _ in places.checked(place, name, file):
            pass
    except BackupFailed as error:
        return str(error)
    return None


def _manifest_faults(place: Place, name: str, files: list[File]) -> Iterator[str]:
    """The manifest is not in a list of checksums; so it is held against the other list."""
    try:
        listed = manifest.read_sums(b"".join(place.read(name, manifest.SUMS)))
    except Damaged as error:
        yield str(error)
        return
    if listed != {file.name: file.sha256 for file in files}:
        yield f"{manifest.SUMS} and {manifest.MANIFEST} do not say the same"
