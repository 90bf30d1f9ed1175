"""Host names of a tenant's own: claimed, proved by DNS, served, and given certificates."""

import asyncio
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from fixtures.background import WorkerProcess
from fixtures.gateway import listens, running, wait_until
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant, free_port
from fixtures.mail import MailServer, text_of
from fixtures.name_server import NameServer
from fixtures.waiting import eventually
from insula.keys import operator_token
from insula.tenancy.rechecking import recheck_due


@pytest.fixture
def domain() -> str:
    return f"www.{secrets.token_hex(6)}.example"


def _claim(tenant: TestTenant, domain: str) -> str:
    """The value that the record is to have."""
    answer = tenant.http.post("/api/v1/domains", json={"name": domain})
    assert answer.status_code == 201, answer.text
    record = answer.json()["record"]
    assert (record["type"], record["name"]) == ("TXT", f"_insula.{domain}")
    return str(record["value"])


def _own(tenant: TestTenant, domain: str, name_server: NameServer) -> None:
    name_server.texts[f"_insula.{domain}"] = ["v=spf1 -all", _claim(tenant, domain)]
    answer = tenant.http.post(f"/api/v1/domains/{domain}/verify")
    assert answer.status_code == 200, answer.text
    assert answer.json()["verified_at"] is not None


def _slug_at(tenant: TestTenant, domain: str) -> str | None:
    """Whose requests for a host are: what a token of that tenant finds there."""
    answer = tenant.http.get("/api/v1/me", headers={"Host": domain})
    return answer.json()["tenant"]["slug"] if answer.status_code == 200 else None


def _ask(tenant: TestTenant, domain: str) -> int:
    return httpx.get(f"{tenant.url}/api/v1/domains/ask", params={"domain": domain}).status_code


def test_a_domain_is_the_tenants_once_its_record_is_there(
    sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant, other = sign_up("polls"), sign_up()
    anonymous = httpx.Client(base_url=tenant.url, headers={"Host": domain})
    assert anonymous.get("/api/v1/search?q=x").json()["type"] == "/docs/problems/tenant-required"
    value = _claim(tenant, domain)
    missing = tenant.http.post(f"/api/v1/domains/{domain}/verify")
    assert (missing.status_code, missing.json()["found"]) == (409, [])
    name_server.texts[f"_insula.{domain}"] = ["insula-verification=something-else"]
    wrong = tenant.http.post(f"/api/v1/domains/{domain}/verify").json()
    assert wrong["type"] == "/docs/problems/domain-unproved"
    assert wrong["found"] == ["insula-verification=something-else"]
    assert _ask(tenant, domain) == 404
    name_server.texts[f"_insula.{domain}"] = [value]
    assert tenant.http.post(f"/api/v1/domains/{domain}/verify").status_code == 200
    assert _ask(tenant, domain) == 200
    eventually(lambda: anonymous.get("/api/v1/search?q=x").status_code == 200)
    assert other.http.get("/api/v1/me", headers={"Host": domain}).status_code == 403
    shouting = {"Host": f"{domain.upper()}:8443"}
    assert tenant.http.get("/api/v1/me", headers=shouting).status_code == 200
    (listed,) = tenant.http.get("/api/v1/domains").json()
    assert (listed["name"], listed["verified_at"] is not None) == (domain, True)


def test_a_domain_given_up_is_nobodys(
    sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant = sign_up()
    _own(tenant, domain, name_server)
    anonymous = httpx.Client(base_url=tenant.url, headers={"Host": domain})
    eventually(lambda: anonymous.get("/api/v1/search?q=x").status_code == 200)
    assert tenant.http.delete(f"/api/v1/domains/{domain}").status_code == 204
    assert anonymous.get("/api/v1/search?q=x").status_code in (400, 404)
    assert _ask(tenant, domain) == 404
    assert tenant.http.get("/api/v1/domains").json() == []
    assert tenant.http.delete(f"/api/v1/domains/{domain}").status_code == 404


def test_whoever_rules_over_the_dns_has_the_domain(
    sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    first, second = sign_up(), sign_up()
    _own(first, domain, name_server)
    value = _claim(second, domain)
    assert second.http.post(f"/api/v1/domains/{domain}/verify").status_code == 409
    records = name_server.texts[f"_insula.{domain}"]
    assert records is not None
    records.append(value)  # both are there: it stays where it is
    both = second.http.post(f"/api/v1/domains/{domain}/verify")
    assert both.json()["type"] == "/docs/problems/domain-taken"
    name_server.texts[f"_insula.{domain}"] = [value]
    assert second.http.post(f"/api/v1/domains/{domain}/verify").status_code == 200
    assert first.http.get(f"/api/v1/domains/{domain}").json()["verified_at"] is None
    eventually(lambda: _slug_at(second, domain) == second.slug)
    assert first.http.get("/api/v1/me", headers={"Host": domain}).status_code == 403


def test_name_servers_that_do_not_answer_are_told_of(
    sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant = sign_up()
    _claim(tenant, domain)
    name_server.texts[f"_insula.{domain}"] = None
    answer = tenant.http.post(f"/api/v1/domains/{domain}/verify")
    assert (answer.status_code, answer.json()["type"]) == (503, "/docs/problems/domain-unreachable")


@pytest.mark.parametrize(
    "name",
    [
        "example",
        "127.0.0.1",
        "1.2.3.4.5",
        "acme.localhost",
        "a..b.example",
        "-a.example",
        "a b.example",
        "http://a.example/",
        "a.example:80",
        "*.example.com",
        "x" * 64 + ".example",
        ".".join(["x" * 60] * 5),
        "_insula.example.com",
        "a.example/../b",
        "xn--a.example",
        "[::1]",
    ],
)
def test_what_is_no_host_name_is_refused(sign_up: SignUp, name: str) -> None:
    answer = sign_up().http.post("/api/v1/domains", json={"name": name})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/name"


def test_host_names_of_other_scripts_have_one_spelling(sign_up: SignUp) -> None:
    tenant = sign_up()
    for name in ("Bücher.Example", "bücher.example", "xn--bcher-kva.example."):
        assert tenant.http.post("/api/v1/domains", json={"name": name}).status_code == 201
    (only,) = tenant.http.get("/api/v1/domains").json()
    assert only["name"] == "xn--bcher-kva.example"


def test_a_tenant_has_twenty_domains_at_most(sign_up: SignUp) -> None:
    tenant = sign_up()
    names = [f"a{number}.{secrets.token_hex(4)}.example" for number in range(20)]
    for name in names:
        _claim(tenant, name)
    _claim(tenant, names[0])  # again, which changes nothing
    full = tenant.http.post("/api/v1/domains", json={"name": "one-more.example"})
    assert full.json()["type"] == "/docs/problems/too-many-domains"


def test_hosts_of_the_installation_may_have_certificates(acme: TestTenant) -> None:
    assert _ask(acme, f"{acme.slug}.localhost") == 200
    for name in ("nobody-here.localhost", "localhost", f"{acme.slug}localhost", "", "x" * 300):
        assert _ask(acme, name) in (400, 404)


def test_a_tenant_that_does_not_serve_gets_no_certificate(
    installation: Installation, sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant, new = sign_up(), f"n-{secrets.token_hex(6)}"
    _own(tenant, domain, name_server)
    token = operator_token(installation.settings.secret_key)
    headers = {"Authorization": f"Bearer {token}"}
    hosts = [domain, f"{tenant.slug}.localhost", f"{new}.localhost"]

    def certificates() -> list[int]:
        return [_ask(tenant, host) for host in hosts]

    with httpx.Client(base_url=f"{tenant.url}/api/v1/tenants", headers=headers) as operator:
        operator.patch(tenant.slug, json={"slug": new}).raise_for_status()
        assert certificates() == [200, 200, 200]  # the old slug leads to the new one
        operator.post(f"{new}/suspend", json={"reason": "A test."}).raise_for_status()
        assert certificates() == [404, 404, 404]
        operator.post(f"{new}/resume").raise_for_status()
        assert certificates() == [200, 200, 200]
        operator.delete(new).raise_for_status()
        assert certificates() == [404, 404, 404]


# Looking again

_AGE = """
UPDATE ctl.domains SET asked_at = asked_at - interval '13 hours',
    failing_since = failing_since - make_interval(days => $2) WHERE name = ANY ($1)
"""


def _look_again(installation: Installation, *domains: str, times: int = 1, days: int = 0) -> None:
    """As if half a day had gone by each time, and so many days since the record was missed."""

    async def look() -> None:
        admin = await asyncpg.connect(installation.settings.database_url)
        async with inside(installation) as platform:
            for _ in range(times):
                await admin.execute(_AGE, list(domains), days)
                await recheck_due(platform.foundation.services)
        await admin.close()

    asyncio.run(look())


def _domain(tenant: TestTenant, domain: str) -> tuple[bool, bool]:
    """Whether it is verified, and whether it is failing."""
    seen = tenant.http.get(f"/api/v1/domains/{domain}").json()
    return seen["verified_at"] is not None, seen["failing_since"] is not None


def test_a_domain_whose_record_is_gone_is_lost_after_days_of_grace(
    installation: Installation,
    worker: WorkerProcess,
    mail_server: MailServer,
    sign_up: SignUp,
    name_server: NameServer,
    domain: str,
) -> None:
    tenant = sign_up()
    _own(tenant, domain, name_server)
    value = name_server.texts.pop(f"_insula.{domain}")
    _look_again(installation, domain)
    assert _domain(tenant, domain) == (True, True)
    _look_again(installation, domain)
    (told,) = mail_server.wait_for(tenant.owner.email)
    assert told["Subject"] == f"The DNS record of {domain} is missing"
    assert f"_insula.{domain}" in text_of(told)
    assert str(value and value[-1]) in text_of(told)
    _look_again(installation, domain, days=30)  # long ago, but looked at too seldom since
    assert _domain(tenant, domain) == (True, True)
    assert _ask(tenant, domain) == 200
    _look_again(installation, domain, times=2)
    assert _domain(tenant, domain) == (False, False)
    assert _ask(tenant, domain) == 404
    with httpx.Client(base_url=tenant.url, headers={"Host": domain}) as anonymous:
        eventually(lambda: anonymous.get("/api/v1/search?q=x").status_code in (400, 404))
    told = mail_server.wait_for(tenant.owner.email, 2)[-1]
    assert told["Subject"].endswith(f"no longer answers at {domain}")
    name_server.texts[f"_insula.{domain}"] = value
    assert tenant.http.post(f"/api/v1/domains/{domain}/verify").status_code == 200


def test_days_of_grace_are_days(
    installation: Installation, sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant = sign_up()
    _own(tenant, domain, name_server)
    value = name_server.texts.pop(f"_insula.{domain}")
    _look_again(installation, domain, times=6)  # more often than need be, within three days
    assert _domain(tenant, domain) == (True, True)
    name_server.texts[f"_insula.{domain}"] = value
    _look_again(installation, domain, days=30)
    assert _domain(tenant, domain) == (True, False)


def test_name_servers_that_fail_say_nothing_about_a_domain(
    installation: Installation, sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant = sign_up()
    _own(tenant, domain, name_server)
    name_server.failing.add(f"_insula.{domain}")
    _look_again(installation, domain)
    assert _domain(tenant, domain) == (True, False)
    name_server.failing.clear()
    del name_server.texts[f"_insula.{domain}"]
    _look_again(installation, domain)
    assert _domain(tenant, domain) == (True, True)
    name_server.failing.add(f"_insula.{domain}")
    _look_again(installation, domain, times=5, days=30)
    assert _domain(tenant, domain) == (True, True)


def test_most_tenants_at_once_have_not_lost_their_records(
    installation: Installation,
    sign_up: SignUp,
    name_server: NameServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But the name servers are wrong, such as those of a machine that was cut off."""
    monkeypatch.setattr("insula.tenancy.rechecking.MANY", 2)
    first, second = sign_up(), sign_up()
    domains = [f"a{number}.{secrets.token_hex(4)}.example" for number in range(4)]
    for domain in domains:
        tenant = first if domain in domains[1:] else second
        _own(tenant, domain, name_server)
        del name_server.texts[f"_insula.{domain}"]
    _look_again(installation, *domains)
    assert {_domain(first, domain) for domain in domains[1:]} == {(True, False)}
    _look_again(installation, *domains[1:])  # of one tenant alone it is believed
    assert {_domain(first, domain) for domain in domains[1:]} == {(True, True)}


def test_what_a_deleted_tenant_has_left_in_the_dns_holds_nobody_up(
    installation: Installation, sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    first, second = sign_up(), sign_up()
    _own(first, domain, name_server)
    token = operator_token(installation.settings.secret_key)
    httpx.delete(
        f"{first.url}/api/v1/tenants/{first.slug}", headers={"Authorization": f"Bearer {token}"}
    ).raise_for_status()
    records = name_server.texts[f"_insula.{domain}"]
    assert records is not None
    records.append(_claim(second, domain))
    assert second.http.post(f"/api/v1/domains/{domain}/verify").status_code == 200
    eventually(lambda: _slug_at(second, domain) == second.slug)


def test_who_loses_a_domain_to_another_is_told(
    worker: WorkerProcess,
    mail_server: MailServer,
    sign_up: SignUp,
    name_server: NameServer,
    domain: str,
) -> None:
    first, second = sign_up(), sign_up()
    _own(first, domain, name_server)
    _own(second, domain, name_server)
    (told,) = mail_server.wait_for(first.owner.email)
    assert "Somebody else has shown" in text_of(told)


# A real gateway


@pytest.fixture
def caddy(installation: Installation, tmp_path: Path) -> Iterator[int]:
    """Caddy in front of the installation, asking it before it makes a certificate."""
    port, upstream = free_port(), installation.url.removeprefix("http://")
    (tmp_path / "Caddyfile").write_text(f"""
{{
    admin off
    auto_https disable_redirects
    skip_install_trust
    storage file_system {tmp_path}/caddy
    on_demand_tls {{
        ask {installation.url}/api/v1/domains/ask
    }}
}}
https://:{port} {{
    tls internal {{
        on_demand
    }}
    reverse_proxy {upstream}
}}
""")
    command: list[str | Path] = ["caddy", "run", "--config", str(tmp_path / "Caddyfile")]
    home = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    with running(command, log=tmp_path / "caddy.log", cwd=tmp_path, environment=home):
        wait_until(lambda: listens(port), "caddy listens")
        yield port


def _by_tls(port: int, domain: str) -> subprocess.CompletedProcess[str]:
    options = ["-s", "-k", "--max-time", "20", "--connect-to", f"{domain}:{port}:127.0.0.1:{port}"]
    target = f"https://{domain}:{port}/api/v1/search?q=x"
    return subprocess.run(
        ["curl", *options, "-w", "%{http_code}", "-o", "/dev/null", target],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_gateway_gets_certificates_for_proved_domains_alone(
    caddy: int, sign_up: SignUp, name_server: NameServer, domain: str
) -> None:
    tenant = sign_up()
    refused = _by_tls(caddy, domain)
    assert refused.returncode == 35, refused  # no certificate, no connection
    _own(tenant, domain, name_server)
    eventually(lambda: _by_tls(caddy, domain).stdout == "200")
