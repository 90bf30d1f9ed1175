"""Logs: one JSON object a line, like the access log's.

structlog's own default is for a person at a terminal: it draws every traceback with the values of
all local variables, which costs 50 ms an exception and writes secrets into the log.
"""

from typing import TextIO

import structlog


def configure_logs(stream: TextIO) -> None:
    """Have this process log to ``stream``."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
