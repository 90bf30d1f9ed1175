"""A group whose commands are imported when they are called, and that says what went wrong."""

import importlib
import importlib.util
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import rich_click as click
from click.exceptions import Abort, ClickException, Exit

from insula.collector import loading

COMMANDS = "insula.commands"
"""Entry points of commands that other distributions add: ``lab = "insula_ops.cli:lab"``."""

MODULES = "insula.modules"
"""``insula.module.ENTRY_POINTS``, which would import the whole platform."""


class LazyGroup(click.RichGroup):
    """``lazy`` maps a command to the module that defines it under the same name, and to its line
    in the list of commands. Installed modules with a ``cli.py`` join as groups of their own."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = sorted({*super().list_commands(ctx), *self._lazy, *_added()})
        return [*own, *(name for name in sorted(_modules()) if name not in own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or for a list of commands what stands for one that is not imported yet."""
        if cmd_name in self._lazy:
            return click.RichCommand(name=cmd_name, short_help=self._lazy[cmd_name][1])
        if (known := super().get_command(ctx, cmd_name)) is not None:
            return known
        if (point := _added().get(cmd_name)) is not None:
            return point.load()  # type: ignore[no-any-return]
        if cmd_name in _modules():
            return click.RichCommand(
                name=cmd_name, short_help=f"Commands of the module {cmd_name}."
            )
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        with loading():
            return self._loaded(*super().resolve_command(ctx, args))

    def _loaded(
        self, name: str | None, command: click.Command | None, rest: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if name in self._lazy:
            command = getattr(importlib.import_module(self._lazy[name][0]), name)
        elif command is not None and name in _added():
            pass  # which is loaded already
        elif name is not None and name not in self.commands and name in _modules():
            command = _module_group(_modules()[name])
        if name not in self.commands:  # `up` and `serve` print nothing but their log
            _log_to_stderr()
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it raises on purpose becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except (ClickException, Exit, Abort):
            raise
        except Exception as error:
            from insula.cli.refusals import explain

            if (line := explain(error)) is None:
                raise
            click.echo(f"insula: {line}", err=True)
            sys.exit(1)


def _log_to_stderr() -> None:
    """Stdout is what a command prints: with ``--json``, one document and nothing else."""
    from insula.telemetry.logs import configure_logs

    configure_logs(sys.stderr)


def _added() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=COMMANDS)}


def _modules() -> dict[str, EntryPoint]:
    """Installed modules that bring commands: those with a ``cli.py``, looked for, not imported."""
    return {point.name: point for point in entry_points(group=MODULES) if _has_commands(point)}


def _has_commands(point: EntryPoint) -> bool:
    package = point.module.rpartition(".")[0]
    try:
        found = importlib.util.find_spec(package)
    except ImportError:
        return False
    places = found.submodule_search_locations if found is not None else None
    return any((Path(place) / "cli.py").is_file() for place in places or ())


def _module_group(point: EntryPoint) -> click.Command:
    module = point.load()
    commands = {command.name: command for command in module.cli}
    return click.RichGroup(name=point.name, commands=commands, help=module.summary)
