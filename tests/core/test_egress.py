"""Calls going out reach public addresses only, whatever the URL or the name servers say."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from insula.egress import AddressRefused, AnswerTooLarge, CallFailed, Egress, Limits, Policy
from insula.settings import Settings, SettingsError
from yarl import URL

LOOPBACK = Policy([ip_network("127.0.0.0/8")])


async def _answer(request: web.Request) -> web.StreamResponse:
    if request.path == "/redirect":
        raise web.HTTPFound("http://127.0.0.1:1/elsewhere")
    if request.path == "/long":
        return web.Response(body=b"x" * 5000)
    if request.path == "/slow":
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"wait for it")
        await asyncio.Event().wait()
    if request.path == "/compressed":
        answer = web.Response(body=b"\0" * 100_000)
        answer.enable_compression(web.ContentCoding.gzip)
        return answer
    body = await request.text()
    return web.json_response(
        {"host": request.host, "body": body, "headers": dict(request.headers)},
        headers={"Set-Cookie": "a=b"},
    )


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", _answer)
    running = TestServer(application, host="127.0.0.1")
    await running.start_server()
    yield running
    await running.close()


class Names:
    """A name server whose answers change from question to question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        return self.answers.pop(0)


Client = Callable[..., Egress]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made: list[Egress] = []

    def make(policy: Policy = LOOPBACK, **options: object) -> Egress:
        made.append(Egress(policy, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for egress in made:
        await egress.close()


PRIVATE = """
http://127.0.0.1/ http://127.8.8.8:8000/ http://[::1]/ http://0.0.0.0/ http://[::]/
http://10.1.2.3/ http://172.16.0.1/ http://172.31.255.255/ http://192.168.1.1/ http://100.64.0.1/
http://169.254.169.254/latest/meta-data/ http://[fe80::1]/ http://[fd00:ec2::254]/ http://[fc00::1]/
http://[::ffff:127.0.0.1]/ http://[::ffff:169.254.169.254]/ http://[::ffff:8.8.8.8]/
http://[64:ff9b::7f00:1]/ http://[64:ff9b:1::a00:1]/ http://[2002:7f00:1::]/ http://[::7f00:1]/
http://[2001::1]/ http://[2001:db8::1]/ http://[ff02::1]/ http://224.0.0.1/ http://240.0.0.1/
http://255.255.255.255/ http://198.18.0.1/ http://192.0.2.1/ http://203.0.113.9/ http://192.0.0.8/
http://168.63.129.16/ http://2130706433/ http://0x7f000001/ http://017700000001/ http://127.1/
http://0x7f.1/ http://1.2.3.0x7f/ http://127.0.0.1.:80/ http://①②⑦.⓪.⓪.①/
""".split()


@pytest.mark.parametrize("url", PRIVATE)
async def test_what_is_not_public_is_refused(client: Client, url: str) -> None:
    egress = client(Policy())
    with pytest.raises(AddressRefused):
        await egress.check(url)
    with pytest.raises(AddressRefused):
        await egress.request("GET", url)


@pytest.mark.parametrize("url", ["https://8.8.8.8/", "http://[2606:4700::1111]/", "http://1.1.1.1"])
async def test_what_is_public_is_not(client: Client, url: str) -> None:
    await client(Policy()).check(url)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "//example.com/", "example.com", "", "http://",
     "http://user:word@example.com/", "http://user@example.com/", "http://example.com:25/",
     "http://example.com:0/", "http://example.com:6379/", "http://example.com:99999/",
     "http://exa mple.com/", "http://example.com\\@127.0.0.1/", "http://[::1/",
     "javascript:alert(1)",      "http://example.com/\r\nX: y", "http://" + "a" * 3000 + ".com/"],
)  # fmt: skip
async def test_what_is_no_plain_web_address_is_refused(client: Client, url: str) -> None:
    with pytest.raises(AddressRefused):
        await client(Policy()).request("GET", url)


async def test_a_name_with_one_private_address_among_public_ones_is_refused(
    client: Client,
) -> None:
    names = Names(["93.184.216.34", "10.0.0.1"], ["93.184.216.34", "::1"])
    egress = client(Policy(), lookup=names)
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        await egress.check("https://two-faced.example/")
    with pytest.raises(AddressRefused, match="::1"):
        await egress.request("GET", "https://two-faced.example/")


async def test_the_connection_goes_to_the_address_that_was_checked(
    client: Client, server: TestServer
) -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    egress = client(Policy([ip_network("127.0.0.1/32")]), lookup=names)
    url = f"http://rebinding.example:{server.port}/"
    answer = await egress.request("GET", url)
    assert (answer.status, names.asked) == (200, ["rebinding.example"])
    assert f'"host": "rebinding.example:{server.port}"'.encode() in answer.body
    assert (await egress.request("GET", url)).status == 200  # the same connection: no new question
    await egress.close()
    again = client(Policy([ip_network("127.0.0.1/32")]), lookup=names)
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
        await again.request("GET", url)


async def test_no_socket_is_opened_past_the_other_checks(
    client: Client, server: TestServer
) -> None:
    class Careless(Policy):
        def check_url(self, text: str) -> URL:
            return URL(text)

    with pytest.raises(AddressRefused):
        await client(Careless()).request("GET", str(server.make_url("/")))


async def test_redirects_are_answers(client: Client, server: TestServer) -> None:
    answer = await client().request("GET", str(server.make_url("/redirect")))
    assert (answer.status, answer.headers["location"]) == (302, "http://127.0.0.1:1/elsewhere")


async def test_long_answers_are_refused_or_cut(client: Client, server: TestServer) -> None:
    egress, url = client(), str(server.make_url("/long"))
    with pytest.raises(AnswerTooLarge):
        await egress.request("GET", url, limits=Limits(max_bytes=4999))
    cut = await egress.request("GET", url, limits=Limits(max_bytes=100, truncate=True))
    assert (cut.body, cut.is_whole) == (b"x" * 100, False)
    whole = await egress.request("GET", url, limits=Limits(max_bytes=5000))
    assert (len(whole.body), whole.is_whole) == (5000, True)


async def test_compressed_answers_are_not_blown_up(client: Client, server: TestServer) -> None:
    answer = await client().request("GET", str(server.make_url("/compressed")))
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 1000


async def test_an_answer_that_never_ends_is_given_up(client: Client, server: TestServer) -> None:
    limits = Limits(total=0.2)
    with pytest.raises(CallFailed, match=r"within 0\.2 s"):
        await client().request("GET", str(server.make_url("/slow")), limits=limits)


async def test_nobody_listening_and_unknown_names_are_failures(
    client: Client, server: TestServer
) -> None:
    url = str(server.make_url("/"))
    await server.close()
    with pytest.raises(CallFailed, match="no connection"):
        await client().request("GET", url)
    with pytest.raises(CallFailed, match="has no address"):
        await client().request("GET", "http://nobody.invalid/")


async def test_the_environments_proxies_and_others_cookies_are_not_used(
    client: Client, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    egress, url = client(), str(server.make_url("/"))
    await egress.request("GET", url)
    answer = await egress.request("POST", url, body=b"hello", headers={"X-Own": "1"})
    assert b"Cookie" not in answer.body
    assert b'"X-Own": "1"' in answer.body
    assert b'"body": "hello"' in answer.body


async def test_denied_networks_win_over_allowed_ones(client: Client) -> None:
    policy = Policy.of(Settings(egress_allow="127.0.0.0/8, ::1/128", egress_deny="127.0.0.9/32"))
    await client(policy).check("http://127.0.0.8/")
    with pytest.raises(AddressRefused):
        await client(policy).check("http://127.0.0.9/")
    with pytest.raises(SettingsError, match="INSULA_EGRESS_ALLOW"):
        Policy.of(Settings(egress_allow="127.0.0.1/8"))


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, private


async def test_tls_is_asked_for_the_name_and_not_trusted_blindly(
    client: Client, tmp_path: Path
) -> None:
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_certificate(tmp_path, "secure.example"))
    context.sni_callback = lambda _, name, __: names.append(name)
    application = web.Application()
    application.router.add_get("/", _answer)
    server = TestServer(application, scheme="https", host="127.0.0.1")
    await server.start_server(ssl=context)
    egress = client(lookup=Names(["127.0.0.1"]))
    with pytest.raises(CallFailed, match="TLS failed"):
        await egress.request("GET", f"https://secure.example:{server.port}/")
    await server.close()
    assert names == ["secure.example"]
