"""Mail: rendered safely, sent once the transaction has committed, kept until somebody takes it."""

import asyncio
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fixtures.background import WorkerProcess
from fixtures.inside import inside
from fixtures.installation import Installation, TestTenant, WebServer
from fixtures.mail import MailServer, certified, serving_mail, text_of
from insula.db.ids import new_id
from insula.mail import send_mail
from insula.mail import templates as mail_templates
from insula.mail.captured import CapturedMail
from insula.mail.letter import BadAddress, Letter
from insula.mail.plain_text import to_text
from insula.mail.sending import Mailer
from insula.mail.templates import TemplateMissing, render
from insula.mail.transport import Nowhere, Refused, Server, Smtp, Unreachable
from insula.settings import Settings, SettingsError
from jinja2 import UndefinedError

CONTEXT = {
    "url": "https://hooks.example.com/",
    "tenant": "Acme",
    "reason": "failing",
    "days": 5,
    "id": "0190",
}
NASTY = (
    "<script>alert(1)</script>\r\nBcc: x@y.z\n\n# *Hi* [me](javascript:alert(1)) www.evil.example"
)


def letter(to: str = "ada@example.com", **changes: Any) -> Letter:
    return Letter(**{"to": to, "subject": "Hi", "text": "Hello\n", "html": "<p>Hello", **changes})


def somebody() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def test_one_source_makes_subject_text_and_html() -> None:
    mail = render("webhooks.disabled", "en", CONTEXT)
    assert mail.subject == "A webhook of Acme was switched off"
    assert "nothing could be delivered to it for 5 days." in mail.text
    assert "switch it on in Acme" in mail.text
    assert "<strong>Acme</strong>" in mail.html
    assert '<html lang="en" dir="ltr">' in mail.html
    assert mail.text.endswith("Webhook: 0190\n")


def test_what_is_put_into_a_mail_stays_text() -> None:
    mail = render("webhooks.disabled", "en", CONTEXT | {"tenant": NASTY})
    for harmful in ("<script", "<h1>", "<em>", "href"):
        assert harmful not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in mail.html
    assert "\n" not in mail.subject
    assert "[me](javascript:alert(1)) www.evil.example" in mail.text


def test_a_link_leads_where_the_value_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _templates(monkeypatch, tmp_path, **{"hello.en.md": "Subject: S\n\n[{{ a }}]({{ u }})\n"})
    mail = render("tests.hello", "en", {"a": "A & B", "u": "https://x.example/a_b?c=1&d=*e*"})
    assert '<a href="https://x.example/a_b?c=1&amp;d=*e*"' in mail.html
    assert mail.text == "A & B: https://x.example/a_b?c=1&d=*e*\n"
    for bad in ("javascript:alert(1)", "data:text/html,x", 'https://x/" onclick="alert(1)'):
        html = render("tests.hello", "en", {"a": "A", "u": bad}).html
        assert "javascript" not in html.split("<main>")[1].replace("](javascript", "")
        assert "onclick=" not in html.replace("onclick=&quot;", "").replace('" onclick="', "")


def _templates(monkeypatch: pytest.MonkeyPatch, folder: Path, **sources: str) -> None:
    for name, source in sources.items():
        (folder / name).write_text(source)

    def path(name: str, locale: str) -> Path:
        return folder / f"{name.rpartition('.')[2]}.{locale}.md"

    monkeypatch.setattr(mail_templates, "_path", path)
    mail_templates._load.cache_clear()


@pytest.mark.parametrize(
    ("asked", "found"),
    [("de", "de"), ("de-AT", "de"), ("de_CH", "de"), ("ar", "ar"), ("fr", "en"), ("", "en"),
     ("../../etc", "en"), ("zh-Hant-TW", "zh-Hant")],
)  # fmt: skip
def test_a_language_falls_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str, found: str
) -> None:
    sources = {f"hi.{name}.md": f"Subject: S\n\n{name}\n" for name in ("en", "de", "ar", "zh-Hant")}
    _templates(monkeypatch, tmp_path, **sources)
    mail = render("tests.hi", asked, {})
    assert (mail.locale, mail.text.strip()) == (found, found)
    assert f'dir="{"rtl" if found == "ar" else "ltr"}"' in mail.html


def test_what_a_template_lacks_is_told() -> None:
    with pytest.raises(TemplateMissing, match=r"no mail template 'notes\.nothing'"):
        render("notes.nothing", "de", {})
    with pytest.raises(TemplateMissing):
        render("../secrets", "en", {})
    with pytest.raises(UndefinedError):
        render("webhooks.disabled", "en", {})


def test_plain_text_reads_well() -> None:
    html = (
        "<h1>Title</h1><p>One\ntwo <a href='https://x.example'>here</a> and "
        "<a href='https://y.example'>https://y.example</a></p><ul><li>a</li><li>b<ol><li>c</li>"
        "<li>d</li></ol></li></ul><pre><code>x = 1\n  y\n</code></pre><p>End</p>"
    )
    assert to_text(html) == (
        "Title\n\nOne two here: https://x.example and https://y.example\n\n- a\n- b\n\n"
        "  1. c\n  2. d\n\nx = 1\n  y\n\nEnd\n"
    )


async def test_a_mail_arrives_once_its_transaction_has_committed(
    installation: Installation, acme: TestTenant, worker: WorkerProcess, mail_server: MailServer
) -> None:
    kept, dropped = somebody(), somebody()
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)

        async def send(to: str, *, fail: bool) -> None:
            async with platform.transaction(tenant) as tx:
                await send_mail(
                    tx,
                    template="webhooks.disabled",
                    to=to,
                    to_name="Ada Lovelace",
                    context=CONTEXT,
                    unsubscribe="https://acme.example/no-more?t=1",
                    reply_to="help@example.com",
                )
                assert not fail, "rolled back"

        with pytest.raises(AssertionError, match="rolled back"):
            await send(dropped, fail=True)
        await send(kept, fail=False)
    (mail,) = await asyncio.to_thread(mail_server.wait_for, kept)
    assert mail["Subject"] == "A webhook of Acme was switched off"
    assert (mail["To"], mail["From"]) == (f"Ada Lovelace <{kept}>", "Insula <insula@localhost>")
    assert mail["List-Unsubscribe"] == "<https://acme.example/no-more?t=1>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert (mail["Reply-To"], mail["Auto-Submitted"]) == ("help@example.com", "auto-generated")
    assert "for 5 days" in text_of(mail)
    assert "<strong>Acme</strong>" in text_of(mail, "html")
    assert mail_server.to(dropped) == []


async def test_what_the_server_refuses_for_now_is_tried_again(mail_server: MailServer) -> None:
    to, job = somebody(), uuid4()
    mailer = Mailer("insula@localhost", Smtp(Server.read(mail_server.url)))
    mail_server.answers[to] = ["451 Later", "550 Never"]
    with pytest.raises(Unreachable, match="451"):
        await mailer.send(letter(to), job)
    with pytest.raises(Refused, match="550"):
        await mailer.send(letter(to), job)
    for _ in range(2):
        await mailer.send(letter(to), job)
    first, second = mail_server.to(to)
    assert first["Message-ID"] == second["Message-ID"] == f"<{job}@localhost>"


async def test_a_server_that_is_down_or_missing_loses_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"smtp://127.0.0.1:{taken.getsockname()[1]}"
    for transport in (Smtp(Server.read(url)), Nowhere()):
        with pytest.raises(Unreachable):
            await Mailer("insula@localhost", transport).send(letter(), uuid4())


async def test_a_password_is_not_sent_in_the_clear(mail_server: MailServer) -> None:
    """This server knows no STARTTLS."""
    url = mail_server.url.replace("smtp://", "smtp://ada:secret@")
    with pytest.raises(Unreachable, match=r"(?i)starttls"):
        await Mailer("insula@localhost", Smtp(Server.read(url))).send(letter(), uuid4())


async def test_a_password_goes_over_starttls_to_a_server_that_is_who_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, context = certified("localhost", tmp_path)
    to, job = somebody(), uuid4()
    with serving_mail(tls=context, login=("ada", "secret")) as server:
        url = server.url.replace("smtp://127.0.0.1", "smtp://ada:secret@localhost")
        mailer = Mailer("insula@localhost", Smtp(Server.read(url)))
        with pytest.raises(Unreachable, match="certificate"):
            await mailer.send(letter(to), job)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # as an operator adds an authority
        await mailer.send(letter(to), job)
        (mail,) = server.to(to)
        assert (mail["X-Tls"], mail["X-Login"]) == ("True", "ada")
        elsewhere = Smtp(Server.read(url.replace("localhost", "127.0.0.1")))
        with pytest.raises(Unreachable, match=r"(?i)certificate|mismatch"):
            await Mailer("insula@localhost", elsewhere).send(letter(to), job)
        wrong = Smtp(Server.read(url.replace("secret", "guess")))
        with pytest.raises(Unreachable, match="does not let us in"):
            await Mailer("insula@localhost", wrong).send(letter(to), job)
    assert len(server.to(to)) == 1


async def test_no_value_begins_another_header(mail_server: MailServer) -> None:
    to = somebody()
    mailer = Mailer("insula@localhost", Smtp(Server.read(mail_server.url)))
    evil = "Hi\r\nBcc: victim@example.com\r\n\r\nBody\u2028X: y"
    await mailer.send(letter(to, subject=evil, to_name=evil, locale=evil), uuid4())
    (mail,) = mail_server.to(to)
    assert mail["Bcc"] is None
    assert mail["X"] is None
    assert mail["Subject"] == "Hi Bcc: victim@example.com Body X: y"
    assert text_of(mail) == "Hello\n"
    for field in ("to", "reply_to", "unsubscribe"):
        with pytest.raises(BadAddress):
            await mailer.send(letter(**{"to": to, field: "a@example.com\r\nBcc: b@c.d"}), uuid4())


@pytest.mark.parametrize(
    "to", ["", "ada", "@example.com", "ada@", "a@b, c@d", "a b@example.com", "<a@b>@c", "a@b\0.de"]
)
async def test_what_is_no_address_is_refused_before_the_job(
    installation: Installation, acme: TestTenant, to: str
) -> None:
    async with inside(installation) as platform:
        tenant = await platform.tenant(acme)
        async with platform.transaction(tenant) as tx:
            with pytest.raises(BadAddress):
                await send_mail(tx, template="webhooks.disabled", to=to, context=CONTEXT)


@pytest.mark.parametrize("url", ["mail.example.com", "http://x", "smtp://", "smtp://x:port"])
def test_settings_that_make_no_sense_are_told(url: str) -> None:
    with pytest.raises(SettingsError, match="INSULA_SMTP_URL"):
        Mailer.of(Settings(smtp_url=url))
    with pytest.raises(SettingsError, match="INSULA_MAIL_FROM"):
        Mailer.of(Settings(mail_from="nobody"))


@pytest.fixture
def developing(installation: Installation, tmp_path: Path) -> Iterator[WebServer]:
    """A web process as `insula up` starts it where there is no mail server."""
    environ = installation.environ | {
        "INSULA_HOME": str(tmp_path),
        "INSULA_SMTP_URL": "",
        "INSULA_MAIL_CAPTURE": "true",
        "INSULA_METRICS_PORT": "0",
    }
    web = WebServer(environ, tmp_path / "web.log")
    web.start()
    yield web
    web.stop()


async def test_captured_mail_is_shown_to_the_developer_only(
    developing: WebServer, tmp_path: Path
) -> None:
    mailer = Mailer.of(Settings(home=tmp_path, mail_capture=True))
    await mailer.send(letter(subject="<b>Hi", html="<p>Hello</p><script>x</script>"), new_id())
    async with httpx.AsyncClient(base_url=developing.url) as browser:
        (mail,) = (await browser.get("/dev/mail/messages")).json()
        assert (mail["to"], mail["subject"], mail["text"]) == (
            "ada@example.com",
            "<b>Hi",
            "Hello\n",
        )
        listed = (await browser.get("/dev/mail")).text
        assert f'<a href="/dev/mail/{mail["id"]}">&lt;b&gt;Hi</a>' in listed
        page = await browser.get(f"/dev/mail/{mail['id']}")
        assert "<iframe sandbox src=" in page.text
        html = await browser.get(f"/dev/mail/{mail['id']}/html")
        assert html.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        for headers in ({"Host": "evil.example"}, {"X-Forwarded-For": "9.9.9.9"}):
            assert (await browser.get("/dev/mail", headers=headers)).status_code == 404
        for name in ("..%2f..%2fweb", str(new_id())):
            assert (await browser.get(f"/dev/mail/{name}")).status_code in (400, 404)


def test_there_is_no_such_page_in_production(installation: Installation) -> None:
    assert httpx.get(installation.url + "/dev/mail").status_code == 404


async def test_captured_mail_is_bounded(tmp_path: Path) -> None:
    captured = CapturedMail(tmp_path / "mail")
    mailer = Mailer("insula@localhost", captured)
    for number in range(103):
        await mailer.send(letter(subject=f"Mail {number}"), new_id())
    mails = await captured.list()
    assert [mails[0].subject, mails[-1].subject, len(mails)] == ["Mail 102", "Mail 3", 100]
