"""What a hostile user, an unlucky crash or a busy replica must not break."""

import secrets
import time

import httpx
import pytest
from fixtures.installation import Installation
from insula.http.body import MAX_DEPTH, check_json
from insula.http.problem import BadRequest

_LIST_OF_BRACKETS = b"[" + b"[]," * 100


@pytest.mark.parametrize(
    "body",
    [
        _LIST_OF_BRACKETS + b'"' + b'\\"' * 1_000_000,  # a string that never ends
        _LIST_OF_BRACKETS + b'"' * 2_000_001,
        _LIST_OF_BRACKETS + b"\\" * 2_000_001 + b"\\u0000",
        b"[" + b"[]," * 700_000,
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) * 15_000,
    ],
    ids=["endless string", "quotes", "backslashes", "brackets", "towers"],
)
def test_body_is_checked_in_time_that_its_length_explains(body: bytes) -> None:
    started = time.process_time()
    check_json(body)
    assert time.process_time() - started < 2  # it was hours


def test_depth_counts_brackets_outside_strings_only() -> None:
    deepest = b'{"[[\\"{":' * (MAX_DEPTH - 1) + b"[]" + b"}" * (MAX_DEPTH - 1)
    check_json(deepest)
    with pytest.raises(BadRequest):
        check_json(b"[" + deepest + b"]")


def test_metrics_do_not_grow_with_methods_that_clients_make_up(installation: Installation) -> None:
    made_up = [f"X{secrets.token_hex(4).upper()}" for _ in range(3)]
    for method in made_up:
        httpx.request(method, installation.url + "/api/v1/me")
    port = installation.environ["INSULA_METRICS_PORT"]
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'method="other"' in metrics
    assert not [method for method in made_up if method in metrics]
