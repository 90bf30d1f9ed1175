"""Which migrations an archive's tables have seen, and whether this installation can go on from
there."""

import msgspec

from insula.module import Module
from insula.portability.errors import ArchiveRefused
from insula.portability.manifest import Component, Manifest
from insula.tenancy import core
from insula.tenancy.migrations import MigrationFile, read


class Standing(msgspec.Struct, frozen=True):
    """A module in an archive, next to what is installed."""

    name: str
    enabled: bool
    seen: tuple[MigrationFile, ...]
    """What its tables were made with …"""
    files: tuple[MigrationFile, ...]
    """… and what there is by now."""

    @property
    def is_latest(self) -> bool:
        return len(self.seen) == len(self.files)


def compare(manifest: Manifest, modules: dict[str, Module]) -> dict[str, Standing]:
    """The core and the modules of an archive, each after those that it needs.

    Raises:
        ArchiveRefused: something is not installed, or is older here than there.
    """
    lines = {line.name: line for line in manifest.modules}
    if core.TENANT not in lines or len(lines) < len(manifest.modules):
        raise ArchiveRefused("The manifest names a module twice, or has no core.")
    if missing := sorted(set(lines) - set(modules) - {core.TENANT}):
        raise ArchiveRefused(
            f"The archive has data of {', '.join(missing)}, which this installation has not: "
            "install the packages of these modules first."
        )
    files = {core.TENANT: core.tenant_files()}
    for name, module in modules.items():
        if name in lines:
            files[name] = read(name, module.migrations) if module.tables else ()
    return {name: _compare(lines[name], steps) for name, steps in files.items()}


def _compare(line: Component, files: tuple[MigrationFile, ...]) -> Standing:
    checksums = {step.version: step.checksum for step in line.migrations}
    seen = tuple(file for file in files if file.version in checksums)
    if newer := sorted(set(checksums) - {file.version for file in files}):
        raise ArchiveRefused(
            f"{line.name} has seen the migrations {', '.join(map(str, newer))} there, which are "
            "not known here: upgrade this installation first."
        )
    for file in seen:
        if file.checksum != checksums[file.version]:
            raise ArchiveRefused(
                f"{line.name}/{file.name} is another file here than where the archive was "
                "written: both installations need the same release of the module."
            )
    return Standing(line.name, line.enabled, seen, files)
