"""Backups in a bucket that speaks S3."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from insula_ops.backup.errors import BackupFailed, Damaged
from insula_ops.backup.manifest import MANIFEST

_PART = 8 << 20
"""Bytes that are sent at once, and held in memory for it."""
_AT_ONCE = 2
_PIECE = 1 << 20


class Bucket:
    """Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from where the AWS clients
    find them in their clouds."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    def open(cls, where: str) -> "Bucket":
        """
        Raises:
            BackupFailed: the address cannot be understood, or holds a password.
        """
        url = urlsplit(where)
        options = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.username or url.password or not url.netloc:
            raise BackupFailed(
                "a bucket's address is s3://bucket/prefix; its keys come from AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY"
            )
        if unknown := set(options) - {"endpoint", "region"}:
            raise BackupFailed(f"{where}: endpoint and region are known, not {sorted(unknown)}")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        config: dict[str, Any] = {"region": options.get("region") or region or "us-east-1"}
        if endpoint := options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL"):
            config["endpoint"] = endpoint
        store = S3Store(
            url.netloc,
            prefix=url.path.strip("/") or None,
            client_options={"allow_http": (endpoint or "").startswith("http://")},
            retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
            **config,
        )
        return cls(store)

    def begin(self, name: str) -> None:
        if self.sizes(name):
            raise BackupFailed(f"there is a backup {name} already, or one that was broken off")

    def create(self, name: str, file: str) -> "BucketSink":
        return BucketSink(self._store, f"{name}/{file}")

    def finish(self, name: str, manifest: bytes) -> None:
        with _telling():
            obstore.put(self._store, f"{name}/{MANIFEST}", manifest, use_multipart=False)

    def read(self, name: str, file: str) -> Iterator[bytes]:
        try:
            with _telling():
                content = obstore.get(self._store, f"{name}/{file}")
                for piece in content.stream(min_chunk_size=_PIECE):
                    yield bytes(piece)
        except FileNotFoundError:
            raise Damaged(f"{name}/{file} is missing") from None

    def sizes(self, name: str) -> dict[str, int]:
        return {
            each["path"].rpartition("/")[2]: each["size"]
            for each in self._list(name)
        }  # fmt: skip

    def names(self) -> list[str]:
        return sorted(name for name, files in self._backups().items() if MANIFEST in files)

    def incomplete(self) -> dict[str, datetime]:
        return {
            name: max(files.values()).astimezone(UTC)
            for name, files in self._backups().items()
            if MANIFEST not in files
        }

    def remove(self, name: str) -> None:
        """The manifest first: what is left then is no backup."""
        files = sorted(self.sizes(name), key=lambda file: file != MANIFEST)
        with _telling():
            for file in files:
                obstore.delete(self._store, f"{name}/{file}")

    def _backups(self) -> dict[str, dict[str, datetime]]:
        found: dict[str, dict[str, datetime]] = {}
        for each in self._list(None):
            name, _, file = each["path"].rpartition("/")
            if name and "/" not in name:
                found.setdefault(name, {})[file] = each["last_modified"]
        return found

    def _list(self, prefix: str | None) -> list[Any]:
        with _telling():
            return [each for batch in obstore.list(self._store, prefix) for each in batch]


class BucketSink:
    def __init__(self, store: S3Store, key: str) -> None:
        with _telling():
            self._file = obstore.open_writer(
                store, key, buffer_size=_PART, max_concurrency=_AT_ONCE
            )

    def write(self, piece: bytes) -> None:
        with _telling():
            self._file.write(piece)

    def close(self) -> None:
        with _telling():
            self._file.close()


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise BackupFailed(f"the bucket: {str(error).splitlines()[0][:500]}") from None
