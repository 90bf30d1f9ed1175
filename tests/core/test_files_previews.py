"""Small pictures of images, and of none that would hurt."""

import struct
import zlib
from typing import Any

import httpx
import pytest
from fixtures.files import look, picture, upload
from fixtures.installation import TestTenant


def preview(tenant: TestTenant, file: Any, query: str = "") -> httpx.Response:
    return tenant.http.get(f"/api/v1/files/{file['id']}/preview{query}")


@pytest.mark.parametrize("form", ["png", "jpg", "webp", "gif", "avif"])
def test_an_image_is_made_small(acme: TestTenant, form: str) -> None:
    file = upload(acme, picture(form), f"a.{form}")
    answer = preview(acme, file, "?size=128&format=jpeg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    small = look(answer.content)
    assert (small.width, small.height) == (128, 96)
    red, _, blue = small(10, 48)
    assert (red > 200, blue < 60) == (True, True)


def test_webp_is_what_comes_unasked_and_it_is_kept(acme: TestTenant) -> None:
    file = upload(acme, picture("png"), "a.png")
    first, second = preview(acme, file), preview(acme, file)
    assert first.headers["content-type"] == "image/webp"
    assert first.content == second.content
    assert "sandbox" in first.headers["content-security-policy"]
    etag = first.headers["etag"]
    known = acme.http.get(f"/api/v1/files/{file['id']}/preview", headers={"If-None-Match": etag})
    assert known.status_code == 304


def test_a_small_image_stays_small(acme: TestTenant) -> None:
    file = upload(acme, picture("png", 20, 10), "a.png")
    small = look(preview(acme, file, "?size=1024").content)
    assert (small.width, small.height) == (20, 10)


def test_it_says_nothing_of_where_it_was_taken(acme: TestTenant) -> None:
    image = look(picture("jpg")).copy()
    image.set_type(image.get_typeof("orientation") or 32, "orientation", 6)
    sent = image.write_to_buffer(".jpg")
    assert b"Exif" in sent
    small = preview(acme, upload(acme, sent, "a.jpg"), "?format=jpeg").content
    assert b"Exif" not in small
    turned = look(small)
    assert turned.height > turned.width


def _png(width: int, height: int) -> bytes:
    """A picture that says how large it is and is not."""

    def part(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


HOSTILE = {
    "larger than any screen": _png(60_000, 60_000),
    "without most of its rows": _png(3000, 3000),
    "cut off": picture("png")[:600],
    "cut off, a JPEG": picture("jpg")[:700],
    "no image": b"\x89PNG\r\n\x1a\n" + b"x" * 100,
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "text": b"hello",
    "empty": b"",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_of_what_is_no_good_image_there_is_none(acme: TestTenant, case: str) -> None:
    answer = preview(acme, upload(acme, HOSTILE[case], "a.png", Content_Type="image/png"))
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs/problems/no-preview")
    assert acme.http.get("/health/live").status_code == 200


@pytest.mark.parametrize("query", ["?size=0", "?size=9999", "?size=x", "?format=svg"])
def test_what_cannot_be_asked_for_is_told(acme: TestTenant, query: str) -> None:
    assert preview(acme, upload(acme, picture("png"), "a.png"), query).status_code == 400
