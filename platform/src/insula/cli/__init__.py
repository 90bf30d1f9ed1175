"""The ``insula`` command.

``insula --help`` has to come at once, so a group of commands is imported when one of its commands
is called, and not to list it. Commands of modules use :func:`operate`.
"""

import rich_click as click

from insula import __version__
from insula.cli.lazy import LazyGroup
from insula.cli.operating import Operator, operate
from insula.cli.serve import serve
from insula.cli.up import up

__all__ = ["Operator", "main", "operate"]


@click.group(
    cls=LazyGroup,
    lazy={
        "tenants": ("insula.cli.tenants", "Create, list, suspend and delete tenants."),
        "operator": ("insula.cli.operator", "The operator API's token."),
        "modules": ("insula.cli.modules", "Switch modules on and off; write new ones."),
        "worker": ("insula.cli.worker", "Do what happens in the background: events and jobs."),
        "i18n": ("insula.cli.i18n", "Hold the translations against what the code says."),
        "cells": ("insula.cli.cells", "Spread tenants over several PostgreSQL servers."),
        "db": ("insula.cli.db", "Install and migrate the database."),
    },
)
@click.version_option(__version__, prog_name="insula")
def main() -> None:
    """One self-hosted backend for many tenants.

    Settings are the environment variables INSULA_…; beside a running `insula up`, commands find its
    servers in INSULA_HOME by themselves.
    """


main.add_command(up)
main.add_command(serve)
