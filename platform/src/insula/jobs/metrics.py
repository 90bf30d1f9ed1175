"""Prometheus metrics of jobs. Labels are bounded by the jobs that are installed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)

RUN_SECONDS = Histogram(
    "insula_job_run_seconds", "Time that one attempt took", ("job", "outcome"), buckets=_BUCKETS
)
WAITING = Gauge("insula_jobs_waiting", "Jobs that are due and wait for a worker")
LAG = Gauge("insula_jobs_lag_seconds", "For how long the oldest of them has been due")
REFUSED = Counter("insula_jobs_refused_total", "Messages in Redis that named no job of a tenant")


@contextmanager
def running(job: str) -> Iterator[Callable[[str], None]]:
    """Time an attempt; call what is given with its outcome."""
    started, outcomes = time.perf_counter(), ["stopped"]
    try:
        yield outcomes.append
    finally:
        RUN_SECONDS.labels(job, outcomes[-1]).observe(time.perf_counter() - started)
