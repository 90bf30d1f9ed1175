"""``insula serve``: the web processes alone, for a service manager or a container."""

import os

import rich_click as click

from insula.settings import Settings, SettingsError


@click.command()
def serve() -> None:
    """Serve the web application against the servers named by the INSULA_… variables.

    SIGTERM drains: readiness turns 503, INSULA_DRAIN_SECONDS pass (default 5) so that load
    balancers notice, requests in flight finish, and the processes end.
    """
    from insula import serving

    serving.serve(Settings.load(), drain_seconds=_drain_seconds())


def _drain_seconds() -> float:
    text = os.environ.get("INSULA_DRAIN_SECONDS", "5")
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"INSULA_DRAIN_SECONDS is not a number: {text!r}") from None
