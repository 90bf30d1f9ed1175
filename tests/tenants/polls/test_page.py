"""The page in a real browser: Debian's chromium, driven by playwright."""

import pytest
from fixtures.background import WorkerProcess
from fixtures.browser import MILLISECONDS
from fixtures.installation import Installation, SignUp, TestTenant
from fixtures.polls import cast, exported, new_poll, results_with, voted
from playwright.async_api import Browser, Page, expect


@pytest.fixture
def tenant(sign_up: SignUp, worker: WorkerProcess) -> TestTenant:
    return sign_up("polls")


class Visit:
    """A page of somebody's own browser profile, and what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.set_default_timeout(MILLISECONDS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on(
            "console",
            lambda said: self.faults.append(said.text) if "Content Security" in said.text else None,
        )

    async def open(self, installation: Installation, tenant: TestTenant, path: str) -> None:
        port = installation.url.rpartition(":")[2]
        host = f"{tenant.slug}.{installation.settings.base_domain}:{port}"
        await self.page.goto(f"http://{host}{path}/page")

    async def shows(self, name: str, votes: int) -> None:
        item = self.page.locator("#chart li", has_text=name)
        await expect(item).to_have_attribute("data-votes", str(votes))


async def visit(browser: Browser) -> Visit:
    return Visit(await (await browser.new_context()).new_page())


async def test_one_votes_by_keyboard_and_the_other_sees_it_live(
    browser: Browser, installation: Installation, tenant: TestTenant
) -> None:
    path = new_poll(tenant, question="Which tree?")
    watcher, voter = await visit(browser), await visit(browser)
    for each in (watcher, voter):
        await each.open(installation, tenant, path)
        await expect(each.page.locator("h1")).to_have_text("Which tree?")
    await expect(watcher.page.locator("#live")).to_have_text("live")
    keyboard = voter.page.keyboard
    await keyboard.press("Tab")
    await keyboard.press("Space")  # the first
    await keyboard.press("ArrowDown")  # the second
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(voter.page.locator("#notice")).to_contain_text("Your vote is counted")
    for each in (watcher, voter):
        await each.shows("Birch", 1)
        await expect(each.page.locator("#total")).to_have_text("1 vote")
    assert cast(tenant.anonymous(), path, 4).status_code == 201
    await watcher.shows("Oak", 1)
    await voter.page.reload()
    await expect(voter.page.locator("#ballot")).to_be_hidden()
    assert len(exported(tenant.http, path)) == 2
    assert watcher.faults == voter.faults == []


async def test_without_websockets_it_goes_by_server_sent_events(
    browser: Browser, installation: Installation, tenant: TestTenant
) -> None:
    path = new_poll(tenant)
    watcher = await visit(browser)
    await watcher.page.add_init_script(
        "window.WebSocket = class { constructor() {"
        " setTimeout(() => this.onclose()); } close() {} }"
    )
    await watcher.open(installation, tenant, path)
    await expect(watcher.page.locator("#live")).to_have_text("live")
    voted(tenant.anonymous(), path, 3)
    await watcher.shows("Cedar", 1)
    assert watcher.faults == []


async def test_results_that_were_hidden_appear_when_the_poll_closes(
    browser: Browser, installation: Installation, tenant: TestTenant
) -> None:
    path = new_poll(tenant, "quiz", correct=[3], results="after_close", explanation="By age.")
    voted(tenant.anonymous(), path, 3)
    watcher = await visit(browser)
    await watcher.open(installation, tenant, path)
    await expect(watcher.page.locator("#notice")).to_contain_text("when the poll is closed")
    await expect(watcher.page.locator("#results")).to_be_hidden()
    await expect(watcher.page.locator("#live")).to_have_text("live")
    tenant.http.post(f"{path}/close")
    await expect(watcher.page.locator("#ballot")).to_be_hidden()
    await watcher.shows("Cedar", 1)
    await expect(watcher.page.locator("li.right")).to_contain_text("Cedar")
    await expect(watcher.page.locator("#explanation")).to_have_text("By age.")


async def test_users_sign_in_on_the_page(
    browser: Browser, installation: Installation, tenant: TestTenant
) -> None:
    path = new_poll(tenant, "ranked", voters="user", anonymous=True)
    customer = tenant.add_user("customer")
    voter = await visit(browser)
    await voter.open(installation, tenant, path)
    await voter.page.fill("input[name=email]", customer.email)
    await voter.page.fill("input[name=password]", customer.password)
    await voter.page.click("#sign-in button")
    await expect(voter.page.locator("#live")).to_have_text("live")
    await voter.page.locator("select").nth(0).select_option(label="Oak")
    await voter.page.locator("select").nth(1).select_option(label="Ash")
    await voter.page.click("#ballot button")
    await voter.shows("Oak", 1)
    assert results_with(tenant.http, path, 1)["counts"] == {"4>1": 1}
    assert voter.faults == []


async def test_what_one_has_filled_in_stays_when_the_poll_is_edited(
    browser: Browser, installation: Installation, tenant: TestTenant
) -> None:
    path = new_poll(tenant, "ranked")
    voter = await visit(browser)
    await voter.open(installation, tenant, path)
    await expect(voter.page.locator("#live")).to_have_text("live")
    await voter.page.locator("select").nth(0).select_option(label="Oak")
    assert tenant.http.patch(path, json={"description": "Think of shade."}).status_code == 200
    await expect(voter.page.locator("#description")).to_have_text("Think of shade.")
    await voter.page.click("#ballot button")
    await voter.shows("Oak", 1)
    assert voter.faults == []


async def test_it_fits_a_telephone_in_the_dark(
    browser: Browser, installation: Installation, tenant: TestTenant
) -> None:
    path = new_poll(tenant, question="A question of an uncommonly long word: " + "very" * 30)
    colours = {}
    for scheme in ("light", "dark"):
        context = await browser.new_context(
            viewport={"width": 320, "height": 560},
            color_scheme=scheme,
        )
        each = Visit(await context.new_page())
        await each.open(installation, tenant, path)
        await expect(each.page.locator("#ballot button")).to_be_visible()
        width = await each.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 320
        colours[scheme] = await each.page.evaluate(
            "getComputedStyle(document.querySelector('button')).backgroundColor"
        )
    assert colours["light"] != colours["dark"]
