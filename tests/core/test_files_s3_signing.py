"""What Insula sends to a bucket is signed as AWS wants it, judged by botocore."""

import os
from collections.abc import AsyncIterator

import pytest
from fixtures.s3 import BUCKET, S3
from fixtures.sigv4 import SigningProxy, checking_signatures
from insula.db.ids import new_id
from insula.files.blobs import Blobs, StoreDown, key_of
from insula.settings import Settings

pytestmark = pytest.mark.xdist_group("s3")

LARGE = 12_000_000
"""More than one part of a multipart upload."""


def _blobs(proxy: SigningProxy, secret: str) -> Blobs:
    return Blobs.open(
        Settings.load(
            {
                "INSULA_FILES_URL": f"s3://{BUCKET}/signed prefix?endpoint={proxy.url}",
                "INSULA_FILES_ACCESS_KEY": "key",
                "INSULA_FILES_SECRET_KEY": secret,
            }
        )
    )


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _read(blobs: Blobs, key: str, start: int, end: int) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key, start, end)])


async def test_every_request_is_signed(s3: S3) -> None:
    content, file_id = os.urandom(LARGE), new_id()
    large, small = (key_of(7, file_id, name) for name in ("a+b c~ä", "preview-64.webp"))
    with checking_signatures(s3.port, key="key", secret="secret") as proxy:
        blobs = _blobs(proxy, "secret")
        await blobs.write(large, _chunks(content))
        await blobs.write_bytes(small, b"small")
        assert await _read(blobs, large, 5, LARGE - 5) == content[5:-5]
        assert await blobs.find(small) == b"small"
        assert 7 in await blobs.tenants()
        await blobs.delete_file(7, file_id)
        assert await blobs.find(small) is None
        assert proxy.refused == []
        assert {each.partition(" ")[0] for each in proxy.passed} >= {"GET", "POST", "PUT"}
        assert not any(str(file_id) in key for key in s3.contents())


async def test_a_wrong_secret_opens_nothing(s3: S3) -> None:
    """Which shows that the proxy refuses: what else would the test above prove?"""
    with checking_signatures(s3.port, key="key", secret="secret") as proxy:
        with pytest.raises(StoreDown):
            await _blobs(proxy, "guess").write_bytes("7/x", b"small")
        assert proxy.passed == []
        assert proxy.refused
