"""Makes one preview, in a process of its own: an image decoder fed by strangers may crash, hang or
eat memory, and takes nobody along.

``python -I -m insula.files.preview_process PATH MEDIA_TYPE SIZE FORMAT MAX_PIXELS`` writes the
picture to stdout; exits with 3 and a reason on stderr where none can be made.
"""

import resource
import sys

import pyvips

from insula.files.preview_formats import LOADERS, OPTIONS, REFUSED

_MEMORY = 1 << 30
_CPU_SECONDS = 15


def main(path: str, media_type: str, size: str, form: str, max_pixels: str) -> None:
    for limit, value in (
        (resource.RLIMIT_DATA, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    pyvips.operation_block_set("VipsForeignLoad", True)
    allowed, loader = LOADERS[media_type]
    pyvips.operation_block_set(allowed, False)
    try:
        # The header alone: pixels are decoded when they are asked for.
        header = getattr(pyvips.Image, loader)(path, access="sequential")
        pixels = header.width * header.height
        if pixels > int(max_pixels):
            _refuse(f"It has {pixels:,} pixels.")
        side = int(size)
        image = pyvips.Image.thumbnail(path, side, height=side, size="down", fail_on="truncated")
        written = image.write_to_buffer(
            f".{form.replace('jpeg', 'jpg')}", keep="none", **OPTIONS[form]
        )
    except pyvips.Error as error:
        _refuse(str(error).partition("\n")[2].partition("\n")[0] or str(error))
    sys.stdout.buffer.write(written)


def _refuse(reason: str) -> None:
    sys.stderr.write(reason[:300])
    sys.exit(REFUSED)


if __name__ == "__main__":
    main(*sys.argv[1:])
