"""Rate limits are exact over replicas; without Redis the gate opens limits and closes rights."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fixtures.installation import Installation, TestTenant, WebServer
from redis import Redis

BURST = 40


@pytest.fixture(scope="module")
def replicas(installation: Installation) -> Iterator[list[WebServer]]:
    """Two more servers on the same data, which allow little."""
    environ = installation.environ | {
        "INSULA_RATE_LIMIT": "60",
        "INSULA_RATE_BURST": str(BURST),
        "INSULA_METRICS_PORT": "0",
    }
    servers = [WebServer(environ, installation.home / f"limited-{n}.log") for n in (1, 2)]
    for server in servers:
        server.start()
    yield servers
    for server in servers:
        server.stop()


def test_two_replicas_admit_the_burst_and_no_more(
    replicas: list[WebServer], acme: TestTenant
) -> None:
    def ask(number: int) -> int:
        url = replicas[number % 2].url + "/api/v1/me"
        return httpx.get(url, headers=acme.http.headers, timeout=30).status_code

    start = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(ask, range(BURST * 3)))
    refilled = int(time.monotonic() - start) + 1
    assert set(statuses) == {200, 429}
    assert BURST <= statuses.count(200) <= BURST + refilled


@pytest.fixture
def fresh_address(installation: Installation) -> Iterator[None]:
    """Nobody's requests count against this machine's address, before and after."""
    with Redis.from_url(installation.settings.redis_url) as redis:
        redis.delete("rate:address:127.0.0.1")
        yield
        redis.delete("rate:address:127.0.0.1")


@pytest.mark.usefixtures("fresh_address")
@pytest.mark.parametrize("guess", ["token", "tenant"])
def test_guesses_are_limited_by_address(replicas: list[WebServer], guess: str) -> None:
    def headers(number: int) -> dict[str, str]:
        if guess == "token":
            return {"Authorization": f"Bearer a.b.c{number}"}
        return {"Insula-Tenant": f"nobody-{number}"}

    with httpx.Client(base_url=replicas[0].url, timeout=30) as client:
        answers = [client.get("/api/v1/me", headers=headers(n)) for n in range(BURST * 3)]
    assert {answer.status_code for answer in answers} <= {401, 404, 429}
    assert answers[-1].status_code == 429
    assert "retry-after" in answers[-1].headers


def test_a_refusal_says_when_to_come_back(replicas: list[WebServer], acme: TestTenant) -> None:
    with httpx.Client(base_url=replicas[0].url, headers=acme.http.headers) as client:
        first = client.get("/api/v1/me")
        assert first.headers["ratelimit-policy"] == f'"user";q={BURST};w={BURST}'
        assert first.headers["ratelimit"].startswith(f'"user";r={BURST - 1};t=')
        answers = [client.get("/api/v1/me") for _ in range(BURST * 2)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.headers["ratelimit"].startswith('"user";r=0;t=')


def test_without_redis_reads_go_on_and_privileged_rights_are_closed(
    installation: Installation, acme: TestTenant
) -> None:
    environ = installation.environ | {
        "INSULA_REDIS_URL": f"unix://{installation.home}/nobody.sock",
        "INSULA_METRICS_PORT": "0",
    }
    server = WebServer(environ, installation.home / "no-redis.log")
    server.start()
    try:
        with httpx.Client(base_url=server.url, headers=acme.http.headers) as client:
            assert client.get("/api/v1/me").status_code == 200
            closed = client.put("/api/v1/modules/notes")
            assert closed.status_code == 503
            health = client.get("/health/ready").json()
            assert health["status"] == "degraded"
            assert health["checks"]["redis"].startswith("down")
    finally:
        server.stop()


def test_metrics_have_a_listener_of_their_own(installation: Installation) -> None:
    assert httpx.get(f"{installation.url}/metrics").status_code == 404
    port = installation.environ["INSULA_METRICS_PORT"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert "insula_http_request_seconds_bucket" in text
