"""``insula-cdn live``: the page in a real browser, and what its server refuses."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from fixtures.browser import MILLISECONDS
from insula_simulator.cli import main
from insula_simulator.crew import Crew
from insula_simulator.live.controls import Flash
from insula_simulator.live.frames import Counts, frame
from insula_simulator.live.serving import Live
from insula_simulator.live.stepping import Stepping
from playwright.async_api import Browser, Page, expect
from simulator.networks import described, scenario
from simulator.test_run import as_toml
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


@dataclass(frozen=True)
class Address:
    port: int

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def socket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/live"


@pytest.fixture(params=[{}])
async def address(request: pytest.FixtureRequest) -> AsyncIterator[Address]:
    """Of a small network, with the changes that a test asks for."""
    live = Live(scenario(**request.param))
    server = await live.serve("127.0.0.1", 0)
    yield Address(next(iter(server.sockets)).getsockname()[1])
    server.close()
    await server.wait_closed()
    await live.stop()


async def visit(browser: Browser, address: Address, faults: list[str], **about: Any) -> Page:
    page = await (await browser.new_context(**about)).new_page()
    page.set_default_timeout(MILLISECONDS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text))
    await page.goto(address.page)
    await expect(page.locator("#link")).to_have_text("live")
    return page


async def test_two_browsers_see_the_same_network_fail_and_recover(
    browser: Browser, address: Address
) -> None:
    faults: list[str] = []
    one = await visit(browser, address, faults)
    narrow = {"width": 320, "height": 600}
    other = await visit(browser, address, faults, viewport=narrow, color_scheme="dark")
    await expect(one.locator("h1")).to_have_text("small")
    await expect(one.locator("#hits")).to_contain_text("%")
    speed = one.locator("#speed")
    await speed.evaluate("slider => slider.value = 60")
    await speed.dispatch_event("change")
    await expect(other.locator("#speed-is")).to_have_text("×54")
    sydney = 'tr[data-target="edge:Sydney"]'
    await one.get_by_label("edge:Sydney is up").uncheck()
    for page in (one, other):
        await expect(page.locator(sydney)).to_have_class("down")
        await expect(page.locator(f"{sydney} td").nth(3)).to_have_text(
            "0/s"
        )  # users went elsewhere
    await other.get_by_label("edge:Sydney is up").check()
    await expect(one.locator(sydney)).to_have_class("up")
    await expect(one.locator(f"{sydney} td").nth(3)).not_to_have_text("0/s")
    await other.locator("#edges-policy").select_option("s3fifo")
    await expect(one.locator("#edges-policy")).to_have_value("s3fifo")
    await one.locator("#play").click()
    await expect(other.locator("#play")).to_have_text("Play")
    stopped = await one.locator("#now").text_content()
    assert stopped == await one.evaluate(
        "new Promise(r => setTimeout(() => r(now.textContent), 400))"
    )
    assert await other.evaluate("document.documentElement.scrollWidth") <= 320
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, 320, 100).data.some(each => each)"
    assert await other.locator("#map").evaluate(drawn)
    assert faults == []


@pytest.mark.parametrize("address", [{"shields": []}], indirect=True)
async def test_a_network_without_shields_shows_no_controls_of_shields(
    browser: Browser, address: Address
) -> None:
    faults: list[str] = []
    page = await visit(browser, address, faults)
    await expect(page.locator("#hits")).to_contain_text("%")
    await expect(page.locator("#edges-policy")).to_be_visible()
    await expect(page.locator("[data-part=shields]")).to_be_hidden()
    await expect(page.locator(".key i.shield")).to_be_hidden()
    assert faults == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {"Host": "evil.example"}, 421),
        ("/", {"Host": "evil.example:80"}, 421),
        ("/../serving.py", {}, 404),
        ("/live", {}, 426),
        ("/live", {"Origin": "https://evil.example"}, 403),
        ("/live", {"Origin": "null"}, 403),
    ],
)
async def test_the_server_answers_to_its_own_names_and_pages(
    address: Address, path: str, headers: dict[str, str], status: int
) -> None:
    async with httpx.AsyncClient(base_url=address.page) as client:
        answer = await client.get(path, headers=headers)
        assert answer.status_code == status
        page = await client.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_page_from_elsewhere_gets_no_socket(address: Address) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(address.socket, origin="http://evil.example"):  # type: ignore[arg-type]
            pass


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("nonsense", "JSON"), ("[]", "object"), (b"\xff", ""), ('{"set":"fly"}', "fly"),
        ('{"set":"load","value":1e9}', "$.value"), ('{"set":"load","value":1,"x":1}', "x"),
        ('{"set":"fail","target":"edge:Rome","kind":"down"}', "no edge:Rome"),
        ('{"set":"cache","part":"edges","policy":"belady","size":9}', "$.policy"),
        ('{"set":"cache","part":"edges","policy":"s3fifo","size":9}', "at least"),
    ],
    ids=range(9),
)  # fmt: skip
async def test_what_cannot_be_set_is_refused_with_a_reason(
    address: Address, message: str | bytes, complaint: str
) -> None:
    async with connect(address.socket) as socket:
        assert json.loads(await socket.recv())["kind"] == "scene"
        await socket.send(message)
        while (told := json.loads(await socket.recv()))["kind"] != "refused":
            pass
        assert complaint in told["why"]


def played(stepping: Stepping, seconds: float) -> dict[str, Any]:
    """The frame of the last of these seconds."""
    counts = Counts()
    with Crew(1) as crew:
        told = {}
        for _ in range(10):
            told = frame(stepping, counts, stepping.step(crew, seconds / 10))
    return told


def test_what_a_network_remembers_outlives_a_change() -> None:
    stepping = Stepping(scenario())
    cold = played(stepping, 100)["hits"]
    warm = played(stepping, 2000)["hits"]
    assert warm > cold + 0.1
    stepping.fail("origin", "down")
    down = played(stepping, 100)
    assert down["failing"] == {"origin": "down"}
    assert down["errors"] > 0.2
    stepping.fail("origin", "up")
    again = played(stepping, 100)
    assert again["errors"] < 0.02
    assert again["hits"] == pytest.approx(warm, abs=0.1)
    stepping.recache("edges", "sieve", 30_000_000)
    assert played(stepping, 100)["hits"] == pytest.approx(cold, abs=0.1)


def test_load_and_crowds_ask_for_more() -> None:
    stepping = Stepping(scenario())
    assert played(stepping, 100)["rate"] == pytest.approx(60_000 / 3600, rel=0.3)
    stepping.load = 10
    assert played(stepping, 100)["rate"] == pytest.approx(600_000 / 3600, rel=0.1)
    before = played(stepping, 100)["hits"]
    stepping.begin_flash(Flash(10, 300))
    crowd = played(stepping, 200)
    assert crowd["rate"] == pytest.approx(6_000_000 / 3600, rel=0.1)
    assert crowd["hits"] > before
    assert played(stepping, 200)["rate"] < 1000
    assert stepping.now == pytest.approx(700)


def test_days_follow_each_other() -> None:
    stepping = Stepping(scenario(traffic={"objects": 100, "diurnal": 0.9}, duration=86_400.0))
    day = [stepping.rate()]
    stepping.now = 43_200.0
    day.append(stepping.rate())
    stepping.now = 86_400.0 + 43_200.0
    assert stepping.rate() == day[1] != day[0]


def test_a_wrong_scenario_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(as_toml(described(edges=[])))
    done = CliRunner().invoke(main, ["live", str(file)])
    assert done.exit_code == 2
    assert "$.edges" in done.stderr
