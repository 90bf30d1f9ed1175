"""``insula i18n``: what is missing in the translations."""

import sys
from typing import TYPE_CHECKING

import rich_click as click

from insula.cli.printing import json_option, print_json

if TYPE_CHECKING:
    from insula.i18n.report import LanguageReport


@click.group()
def i18n() -> None:
    """Hold the translations against what the code says."""


@i18n.command()
@json_option
def report(as_json: bool) -> None:
    """List sentences that a language lacks, and translations that nobody needs.

    Exits with 1 if something is missing.
    """
    from insula.app import build  # noqa: F401  (with it, every kind of problem is known)
    from insula.i18n import report as reporting
    from insula.module import discover

    discover()
    found = reporting.report()
    if as_json:
        print_json(found)
    else:
        _show(found)
    sys.exit(1 if found.gaps else 0)


def _show(found: "LanguageReport") -> None:
    for gap in found.gaps:
        click.echo(f"{gap.language}: {gap.fault}: {gap.template!r} ({gap.where})")
    for language, template in found.unused:
        click.echo(f"{language}: nobody says {template!r}")
    click.echo(f"{found.messages} sentences, {len(found.gaps)} gaps")
