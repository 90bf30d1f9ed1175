"""Sending files: conditionals, ranges, and nothing that a browser would run."""

import email
from email.message import Message
from typing import Any

import pytest
from fixtures.files import content, upload
from fixtures.installation import TestTenant

LETTERS = b"abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def file(acme: TestTenant) -> Any:
    return upload(acme, LETTERS, "letters.txt")


RANGES = {
    "bytes=0-0": (b"a", "0-0"),
    "bytes=2-4": (b"cde", "2-4"),
    "bytes=24-": (b"yz", "24-25"),
    "bytes=24-999": (b"yz", "24-25"),
    "bytes=-3": (b"xyz", "23-25"),
    "bytes=-999": (LETTERS, "0-25"),
    "BYTES= 1-2 , 99-": (b"bc", "1-2"),
}


@pytest.mark.parametrize("header", RANGES)
def test_a_range_is_sent(acme: TestTenant, file: Any, header: str) -> None:
    expected, place = RANGES[header]
    answer = content(acme, file, Range=header)
    assert (answer.status_code, answer.content) == (206, expected)
    assert answer.headers["content-range"] == f"bytes {place}/26"
    assert answer.headers["content-length"] == str(len(expected))


def test_several_ranges_come_in_parts(acme: TestTenant, file: Any) -> None:
    answer = content(acme, file, Range="bytes=0-1,25-,10-12")
    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + answer.content).get_payload()
    assert isinstance(parts, list)
    found = [
        (part["content-range"], part.get_payload()) for part in parts if isinstance(part, Message)
    ]
    assert found == [("bytes 0-1/26", "ab"), ("bytes 25-25/26", "z"), ("bytes 10-12/26", "klm")]


@pytest.mark.parametrize(
    "header",
    [
        "bytes=4-2",
        "bytes=a-b",
        "lines=1-2",
        "bytes=-",
        "bytes=0-9,5-15",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(11)),
    ],
)
def test_what_is_no_range_to_honour_gives_the_whole(
    acme: TestTenant, file: Any, header: str
) -> None:
    answer = content(acme, file, Range=header)
    assert (answer.status_code, answer.content) == (200, LETTERS)


@pytest.mark.parametrize("header", ["bytes=26-", "bytes=-0", "bytes=100-200"])
def test_a_range_beyond_the_end_is_refused(acme: TestTenant, file: Any, header: str) -> None:
    answer = content(acme, file, Range=header)
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */26")


def test_a_range_is_of_the_version_that_was_read(acme: TestTenant, file: Any) -> None:
    whole = content(acme, file)
    etag, date = whole.headers["etag"], whole.headers["last-modified"]
    for condition, status in (
        (etag, 206),
        (date, 206),
        ('"other"', 200),
        (f"W/{etag}", 200),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 200),
    ):
        answer = content(acme, file, Range="bytes=0-1", If_Range=condition)
        assert answer.status_code == status, condition


def test_what_is_known_is_not_sent_again(acme: TestTenant, file: Any) -> None:
    whole = content(acme, file)
    etag, date = whole.headers["etag"], whole.headers["last-modified"]
    assert not etag.startswith("W/")
    cases = [
        ({"If_None_Match": etag}, 304),
        ({"If_None_Match": f'"x", {etag}'}, 304),
        ({"If_None_Match": '"x"'}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": date}, 200),
        ({"If_Modified_Since": date}, 304),
        ({"If_Modified_Since": "nonsense"}, 200),
        ({"If_Match": etag}, 200),
        ({"If_Match": '"x"'}, 412),
        ({"If_Unmodified_Since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
        ({"If_None_Match": etag, "Range": "bytes=0-1"}, 304),
    ]
    for headers, status in cases:
        answer = content(acme, file, **headers)
        assert answer.status_code == status, headers
        assert answer.headers.get("etag", etag) == etag


def test_head_tells_all_but_the_bytes(acme: TestTenant, file: Any) -> None:
    address = f"/api/v1/files/{file['id']}/content"
    head, whole = acme.http.head(address), acme.http.get(address)
    for name in ("content-length", "content-type", "etag", "accept-ranges", "repr-digest"):
        assert head.headers[name] == whole.headers[name]
    assert head.content == b""


ATTACKS = {
    "a page": (b"<!doctype html><script>alert(1)</script>", "text/html"),
    "a page that says that it is a picture": (b"<html><script>alert(1)</script>", "image/png"),
    "a page behind a comment": (b" <!-- x --><script>alert(1)</script>", "image/gif"),
    "a drawing": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml"),
    "a drawing in XML": (b'<?xml version="1.0"?><svg onload="alert(1)"/>', "image/png"),
    "text that says that it is a page": (b"hello <script>alert(1)</script>", "text/html"),
    "XHTML": (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "text/xml"),
    "a script": (b"alert(1)", "text/javascript"),
    "nothing known": (b"\x00\x01\x02<script>", "text/html"),
    "a PDF": (b"%PDF-1.7\n", "application/pdf"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_is_shown(acme: TestTenant, attack: str) -> None:
    body, declared = ATTACKS[attack]
    answer = content(acme, upload(acme, body, "x", Content_Type=declared))
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    assert not answer.headers["content-type"].startswith("image/png")


KNOWN = {
    b"\x89PNG\r\n\x1a\n....": ("text/html", "image/png", "inline"),
    b"GIF89a....": ("application/octet-stream", "image/gif", "inline"),
    b"RIFF\0\0\0\0WEBPVP8 ": ("", "image/webp", "inline"),
    b"plain words": ("image/png", "text/plain", "inline"),
    b'{"a": 1}': ("application/json", "application/json", "attachment"),
    b"PK\3\4....": (
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.text",
        "attachment",
    ),
    b"\0\1\2": ("image/jpeg", "application/octet-stream", "attachment"),
}


@pytest.mark.parametrize("body", KNOWN, ids=range(len(KNOWN)))
def test_the_bytes_say_what_a_file_is(acme: TestTenant, body: bytes) -> None:
    declared, found, shown = KNOWN[body]
    file = upload(acme, body, "x", Content_Type=declared or "x/y")
    assert file["media_type"] == found
    assert content(acme, file).headers["content-disposition"].startswith(shown)
    saved = content(acme, file, "?download=true").headers["content-disposition"]
    assert saved.startswith("attachment")
