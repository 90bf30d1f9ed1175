"""``python -m insula_bench.serve MODULE:FACTORY``, run by :class:`insula_bench.server.Server`."""

import sys

from insula.serving import serve
from insula.settings import Settings

if __name__ == "__main__":
    serve(Settings.load(), sys.argv[1])
