"""``insula-cdn live``. Exit codes: 0 ended by Ctrl-C, 2 a wrong scenario or a taken port."""

import asyncio
import signal
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from insula_simulator.sweep.cli import fail, read

if TYPE_CHECKING:
    from insula_simulator.scenario import Scenario


@click.command()
@click.argument("scenario", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--name", multiple=True, help="A name, besides localhost, under which browsers reach it."
)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
def live(*, scenario: Path, host: str, port: int, name: tuple[str, ...], opens: bool) -> None:
    """Show a scenario on a web page while it runs, and change it there."""
    described = read(scenario, None, None)
    if described.traffic.trace:
        fail(f"{scenario}: a recorded trace cannot be changed while it runs - at `$.traffic.trace`")
    try:
        asyncio.run(_serve(described, host, port, (*name, host), opens))
    except OSError as error:
        fail(f"{host}:{port}: {error.strerror or error}")


async def _serve(
    scenario: "Scenario", host: str, port: int, names: tuple[str, ...], opens: bool
) -> None:
    from insula_simulator.live.serving import Live
    from insula_simulator.sweep.executing import prepare

    click.echo("preparing (the first run compiles the engine) …", err=True)
    await asyncio.to_thread(prepare, scenario, [])
    loop = asyncio.get_running_loop()
    page = Live(scenario, names)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, page.ended.set)
    server = await page.serve(host, port)
    try:
        at = server.sockets[0].getsockname()[1]
        url = f"http://{f'[{host}]' if ':' in host else host}:{at}/"
        click.echo(url)
        if opens:
            await asyncio.to_thread(webbrowser.open, url)
        await page.ended.wait()
    finally:
        server.close()
        await server.wait_closed()
        await page.stop()
