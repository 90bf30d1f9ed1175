"""What previews are made of, and how; apart from libvips, which only their process loads."""

from typing import Any

LOADERS = {
    "image/jpeg": ("VipsForeignLoadJpeg", "jpegload"),
    "image/png": ("VipsForeignLoadPng", "pngload"),
    "image/webp": ("VipsForeignLoadWebp", "webpload"),
    "image/gif": ("VipsForeignLoadNsgif", "gifload"),
    "image/avif": ("VipsForeignLoadHeif", "heifload"),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "webp": {"Q": 80},
    "jpeg": {"Q": 82, "background": [255, 255, 255], "optimize_coding": True},
}
TYPES = frozenset(LOADERS)
REFUSED = 3
