"""A grid in a file: ``[sweep]`` with ``minimise``, ``subject_to``, ``search``, ``[sweep.vary]``."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from insula_simulator.sweep.values import SweepError


class Grid(Struct, frozen=True, forbid_unknown_fields=True):
    vary: dict[str, Any] = field(default_factory=dict)
    """From a key to its values: a list, or a text as after ``--vary``."""
    minimise: str | None = None
    subject_to: Annotated[list[str], Meta(max_length=20)] = field(default_factory=list)
    search: Literal["grid", "adaptive"] | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    sweep: Grid


def read_grid(path: Path) -> Grid:
    """Raises SweepError: broken TOML (with its line), or a wrong key."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), _File).sweep
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, OSError) as error:
        raise SweepError(f"{path}: {error}") from error
    except RecursionError as error:
        raise SweepError(f"{path}: nested too deeply") from error
