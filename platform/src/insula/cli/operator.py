"""``insula operator``: what the operator API needs."""

import rich_click as click

from insula.cli.operating import installation_settings
from insula.keys import operator_token


@click.group()
def operator() -> None:
    """The operator API, below /api/v1/tenants."""


@operator.command()
def token() -> None:
    """Print the bearer token of the operator API. It is as secret as INSULA_SECRET_KEY, and changes
    with it."""
    click.echo(operator_token(installation_settings().secret_key))
