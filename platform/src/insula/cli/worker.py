"""``insula worker``: what happens in the background, for a service manager or a container."""

import sys

import rich_click as click

from insula.cli.operating import installation_settings
from insula.collector import loading


@click.command()
def worker() -> None:
    """Relay events, serve who follows them, and run jobs. Any number of workers may run.

    SIGTERM drains: what is under way is finished or given back, then the process ends.
    """
    with loading():
        import uvloop

        from insula import worker as working
        from insula.telemetry.logs import configure_logs

    configure_logs(sys.stdout)
    uvloop.run(working.work(installation_settings(), lambda: print("ready", flush=True)))
