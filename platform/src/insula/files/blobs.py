"""The store of bytes: a folder, or an S3 bucket.

Keys are ``<tenant's number>/<file's id>/<name of ours>``: nothing that a user has written is in
them, and all that belongs to a file, or to a tenant, lies below one prefix.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from insula.settings import Settings, SettingsError

PART = 8 << 20
"""Bytes that are sent to a bucket at once, and held in memory for it."""
_CHUNK = 1 << 20
_AT_ONCE = 2


def key_of(tenant: int, file_id: UUID, blob: str) -> str:
    return f"{tenant}/{file_id}/{blob}"


class Blobs:
    """Reads and writes whole blobs, never holding one in memory. A blob is there with all of its
    bytes or not at all, and once written it never changes."""

    def __init__(self, store: Any, root: Path | None) -> None:
        """``root`` is the folder, where the store is one."""
        self._store = store
        self._root = root

    @classmethod
    def open(cls, settings: Settings) -> "Blobs":
        """The store that the settings name.

        Raises:
            SettingsError: ``INSULA_FILES_URL`` names none.
        """
        if settings.files_url:
            return cls(_bucket(settings), None)
        root = (settings.home / "files").absolute()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(root, automatic_cleanup=True), root)

    async def write(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Store what comes; if the iterator raises, there is no blob."""
        with _telling():
            await obstore.put_async(
                self._store, key, chunks, chunk_size=PART, max_concurrency=_AT_ONCE
            )
        await self._settle(key)

    async def write_bytes(self, key: str, content: bytes) -> None:
        with _telling():
            await obstore.put_async(self._store, key, content, use_multipart=False)
        await self._settle(key)

    async def _settle(self, key: str) -> None:
        """Have a file on the disk before PostgreSQL says that it exists: the rename alone survives
        the death of a process, and not that of the machine."""
        if self._root is not None:
            await asyncio.to_thread(_sync, self._root, key)

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, and without, ``end``."""
        if start >= end:
            return
        if self._root is not None:
            async for chunk in _read_file(self._root / key, start, end):
                yield chunk
            return
        options: Any = {"range": (start, end)}
        with _telling():
            result = await obstore.get_async(self._store, key, options=options)
            async for chunk in result.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def find(self, key: str) -> bytes | None:
        """A small blob whole, or None."""
        try:
            with _telling():
                content = await obstore.get_async(self._store, key)
                return bytes(await content.bytes_async())
        except FileNotFoundError:
            return None

    def path_of(self, key: str) -> Path | None:
        """Where a blob lies, if it lies in a folder of this machine."""
        return None if self._root is None else self._root / key

    @asynccontextmanager
    async def as_file(self, key: str, size: int) -> AsyncIterator[Path]:
        """The blob as a file, for what has to seek in it."""
        if self._root is not None:
            yield self._root / key
            return
        with tempfile.NamedTemporaryFile(prefix="insula-blob-") as file:
            async for chunk in self.read(key, 0, size):
                file.write(chunk)
            file.flush()
            yield Path(file.name)

    async def delete(self, *keys: str) -> None:
        """Delete blobs that may be there."""
        for key in keys:
            with suppress(FileNotFoundError), _telling():
                await obstore.delete_async(self._store, key)

    async def delete_file(self, tenant: int, file_id: UUID, *, but: str = "") -> None:
        """Delete all that a file has in the store, except the blob ``but``; what somebody is just
        writing there included, where the store is a folder."""
        await self._delete_below(f"{tenant}/{file_id}", but)

    async def delete_tenant(self, tenant: int) -> None:
        """Delete every file of a tenant."""
        await self._delete_below(str(tenant), "")

    async def tenants(self) -> set[int]:
        """The numbers of the tenants that have something here."""
        if self._root is not None:
            names = await asyncio.to_thread(os.listdir, self._root)
        else:
            with _telling():
                found = await obstore.list_with_delimiter_async(self._store)
            names = [prefix.strip("/").rpartition("/")[2] for prefix in found["common_prefixes"]]
        return {int(name) for name in names if name.isascii() and name.isdigit()}

    async def _delete_below(self, prefix: str, but: str) -> None:
        if self._root is not None and not but:
            await asyncio.to_thread(shutil.rmtree, self._root / prefix, ignore_errors=True)
            return
        with _telling():
            found = [
                each["path"] for each in await obstore.list(self._store, prefix).collect_async()
            ]
        await self.delete(*(key for key in found if not but or not key.endswith(f"/{but}")))


def _bucket(settings: Settings) -> S3Store:
    url = urlsplit(settings.files_url)
    if url.scheme != "s3" or not url.netloc:
        raise SettingsError("INSULA_FILES_URL must be like s3://bucket/prefix?endpoint=https://…")
    options = {name: values[-1] for name, values in parse_qs(url.query).items()}
    if unknown := set(options) - {"endpoint", "region"}:
        raise SettingsError(f"INSULA_FILES_URL: endpoint and region are known, not {unknown}")
    config: dict[str, Any] = {"region": options.get("region", "us-east-1")}
    if endpoint := options.get("endpoint"):
        config["endpoint"] = endpoint
    if settings.files_access_key:
        config["access_key_id"] = settings.files_access_key
        config["secret_access_key"] = settings.files_secret_key
    is_plain = options.get("endpoint", "").startswith("http://")
    return S3Store(
        url.netloc,
        prefix=url.path.strip("/") or None,
        client_options={"allow_http": is_plain, "connect_timeout": "5s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
        **config,
    )


class StoreDown(OSError):
    """The bucket cannot be reached or says no: 503 to whoever asks, and the message for the log."""


@contextmanager
def _telling() -> Iterator[None]:
    """Say of an error of obstore's what it is to us; one of the body that is stored passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise StoreDown(str(error)) from error


def _sync(root: Path, key: str) -> None:
    """The file, and the folders that were made for it."""
    path = root / key
    for each in (path, *path.parents[: key.count("/") + 1]):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def _read_file(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    """In a thread: a disk may keep the event loop waiting. Half of what obstore's stream costs."""
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY)
    try:
        while start < end:
            chunk = await asyncio.to_thread(os.pread, descriptor, min(_CHUNK, end - start), start)
            if not chunk:
                raise FileNotFoundError(f"{path} ends at {start}")
            start += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)
