"""What the gateway promises to clients and to replicas."""

import base64
import json
import os
import re
import socket
from collections import Counter

import httpx
import pytest
from fixtures.gateway import Gateway, Start, assert_problem

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def headers_at_replica(answer: httpx.Response) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in answer.json()["headers"]:
        found.setdefault(name, []).append(value)
    return found


def send_raw(gateway: Gateway, request: bytes) -> httpx.Response:
    """Send bytes that no client library would, read until the gateway closes."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


def test_both_replicas_get_traffic(gateway: Gateway) -> None:
    seen = Counter(httpx.get(gateway.url).json()["replica"] for _ in range(40))
    assert set(seen) == {"one", "two"}
    assert min(seen.values()) >= 10


def test_what_a_client_says_about_its_way_here_is_overwritten(gateway: Gateway) -> None:
    answer = httpx.get(
        gateway.url,
        headers=[
            ("Host", "acme.example.org:8443"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-For", "203.0.113.10"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Port", "1"),
            ("X-Forwarded-Prefix", "/evil"),
            ("X-Forwarded-Server", "evil"),
            ("X_Forwarded_For", "203.0.113.11"),
            ("X-Real-IP", "203.0.113.12"),
            ("Forwarded", "for=203.0.113.13;proto=https;host=evil.example"),
        ],
    )
    found = headers_at_replica(answer)
    assert found["host"] == ["acme.example.org:8443"]
    assert found["x-forwarded-for"] == ["127.0.0.1"]
    assert found["x-forwarded-proto"] == ["http"]
    assert found["x-forwarded-host"] == ["acme.example.org:8443"]
    assert found["x-real-ip"] == ["127.0.0.1"]
    assert not {name for name in found if "forward" in name} - {
        "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
    }  # fmt: skip
    assert "203.0.113" not in answer.text
    assert "evil" not in answer.text


def test_a_body_within_the_limit_arrives_and_one_above_is_refused(gateway: Gateway) -> None:
    assert httpx.post(gateway.url, content=b"x" * 102_400).json()["body_length"] == 102_400
    before = len(gateway.ledger)
    refused = httpx.post(f"{gateway.url}/counted", content=b"x" * 102_401)
    assert_problem(refused, 413, "content-too-large")
    chunks = (b"x" * 10_000 for _ in range(11))
    assert_problem(httpx.post(f"{gateway.url}/counted", content=chunks), 413, "content-too-large")
    assert len(gateway.ledger) == before


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/x/../metrics", "/%6detrics", "/METRICS/x"]
)
def test_metrics_are_hidden(gateway: Gateway, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert_problem(send_raw(gateway, request.encode()), 404, "not-found")


def test_a_path_that_only_begins_like_metrics_is_served(gateway: Gateway) -> None:
    assert httpx.get(f"{gateway.url}/metrics-of-mine").status_code == 200


@pytest.mark.parametrize(
    ("request_", "status", "slug"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", 400, "bad-request"),
        (b"GET /caf\xc3\xa9 HTTP/1.0\r\nHost: a\r\n\r\n", 400, "bad-request"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", 400, "bad-request"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431, "bad-request"),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, "method-not-allowed"),
        (b"GET /gateway-problem HTTP/1.0\r\nHost: a\r\n\r\n", 404, "not-found"),
    ],
)  # fmt: skip
def test_an_impossible_request_is_a_problem(
    gateway: Gateway, request_: bytes, status: int, slug: str
) -> None:
    answer = send_raw(gateway, request_)
    assert_problem(answer, status, slug)
    assert ("allow" in answer.headers) is (status == 405)


def test_a_slow_answer_is_a_504_problem_and_not_asked_for_again(gateway: Gateway) -> None:
    before = len(gateway.ledger)
    assert_problem(httpx.get(f"{gateway.url}/slow"), 504, "unavailable")
    assert len(gateway.ledger) == before + 1


def test_an_application_503_goes_through_once_and_as_it_is(gateway: Gateway) -> None:
    before = len(gateway.ledger)
    answers = [httpx.get(f"{gateway.url}/busy") for _ in range(10)]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.json()["replica"] for answer in answers} == {"one", "two"}
    assert len(gateway.ledger) == before + 10


def test_security_headers_are_added_but_never_twice(gateway: Gateway) -> None:
    plain = httpx.get(gateway.url).headers
    assert plain.get_list("x-frame-options") == ["DENY"]
    assert plain["x-content-type-options"] == "nosniff"
    assert plain["referrer-policy"] == "strict-origin-when-cross-origin"
    assert plain["cross-origin-opener-policy"] == "same-origin"
    assert not re.search(r"\d", plain["server"])
    framed = httpx.get(f"{gateway.url}/framed").headers
    assert framed.get_list("x-frame-options") == ["SAMEORIGIN"]


def test_a_caller_s_trace_goes_on_and_a_broken_one_is_replaced(gateway: Gateway) -> None:
    given = f"00-{TRACE}-00f067aa0ba902b7-01"
    answer = httpx.get(gateway.url, headers={"traceparent": given})
    assert headers_at_replica(answer)["traceparent"] == [given]
    for bad in ["", "nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01", given.upper()]:
        answer = httpx.get(gateway.url, headers={"traceparent": bad} if bad else {})
        [made] = headers_at_replica(answer)["traceparent"]
        assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", made)
        assert TRACE not in made


def test_a_log_line_is_json_with_the_trace_whatever_the_client_sends(
    start_gateway: Start,
) -> None:
    gateway = start_gateway()
    httpx.get(
        f"{gateway.url}/p?token=secret", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-00"}
    )
    send_raw(gateway, b'GET /"?secret HTTP/1.0\r\nHost: a"\xfe\r\nUser-Agent: x"\\\xff\r\n\r\n')
    send_raw(gateway, b"GET /\xff?secret HTTP/1.0\r\n\r\n")
    send_raw(gateway, b"\x00\xff\xfe\r\n\r\n")
    lines = gateway.log(4)
    logged = [json.loads(line.decode()) for line in lines]
    assert [line["status"] for line in logged] == [200, 200, 400, 400]
    assert logged[0]["trace_id"] == TRACE
    assert (logged[0]["method"], logged[0]["path"], logged[0]["status"]) == ("GET", "/p", 200)
    assert b"secret" not in b"".join(lines)


def test_a_websocket_reaches_a_replica(gateway: Gateway) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    opening = (
        f"GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    text_frame = b"\x81\x85\0\0\0\0hello"  # final, text, masked with zeros, 5 bytes
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        stream = connection.makefile("rwb")
        stream.write(opening.encode())
        stream.flush()
        assert b" 101 " in stream.readline()
        while stream.readline().strip():
            pass
        stream.write(text_frame)
        stream.flush()
        assert stream.read(12)[2:] in {b"one: hello", b"two: hello"}


def test_the_gateway_has_a_health_check_of_its_own(gateway: Gateway) -> None:
    assert httpx.get(f"http://127.0.0.1:{gateway.health_port}/health").status_code == 204


def test_a_flood_from_one_address_is_a_429_problem(start_gateway: Start) -> None:
    gateway = start_gateway(GATEWAY_RATE="1r/s", GATEWAY_BURST="3")
    answers = [httpx.get(gateway.url) for _ in range(20)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 14 <= len(refused) <= 16
    assert_problem(refused[0], 429, "too-many-requests")
    assert refused[0].headers.get_list("retry-after") == ["1"]
