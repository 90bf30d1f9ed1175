"""The section of RESULTS.md about live channels."""

from collections.abc import Callable
from statistics import median

from insula_bench.live import EVENTS, PACED, FanOut, Live

_TEXT = """## Live channels

One message to {watchers:,} WebSockets, published through Redis (log, Pub/Sub) and handed out by one
Insula worker, against a bare broadcast server on PyPI `websockets` under uvloop, which has no log,
no admission, no bound on what waits for a slow client, and no other process to hear from. Each has
one core to itself, and turns with the other in one run; the clients share another core, and bound
both if it is slow. *Burst*: {paced} messages at once, received by all; *single*: from sending to
arrival, over all clients. CPU is the server's a message received.

Again: `python ops/bench/run.py --only live`
"""
_TICK = 1e-6
"""Seconds; a short run may have used less CPU than the kernel counts."""
_NAMES = {"insula": "Insula", "bare": "bare `websockets`"}


def section(measured: Live) -> str:
    """Fan-out, then the events."""
    rate = _ratio(measured, lambda turn: turn.rate)
    cpu = _ratio(measured, lambda turn: 1 / max(turn.cpu, _TICK))
    lines = [
        _TEXT.format(watchers=measured.watchers, paced=PACED),
        "| server | burst, messages/s | single p50 | single p99 | CPU |",
        "|---|---|---|---|---|",
        *(_row(name, measured.fan_out[name]) for name in _NAMES),
        "",
        f"Insula of bare: {rate:.2f} of the rate, {cpu:.2f} for the CPU that it uses.",
        "",
        "### From commit to WebSocket",
        "",
        f"{EVENTS} events, each committed when the one before had arrived: outbox, relay, the"
        " tenant's log, Redis, socket.",
        "",
        f"p50 {_at(measured.events, 0.5)}, p99 {_at(measured.events, 0.99)}.",
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, rounds: list[FanOut]) -> str:
    rate, p50, p99, cpu = (median(values) for values in zip(*rounds, strict=True))
    low, high = min(turn.rate for turn in rounds), max(turn.rate for turn in rounds)
    return (
        f"| {_NAMES[name]} | {rate:,.0f} ({low:,.0f}–{high:,.0f}) | {p50 * 1e3:.0f} ms |"
        f" {p99 * 1e3:.0f} ms | {cpu * 1e6:.0f} µs |"
    )


def _ratio(measured: Live, of: Callable[[FanOut], float]) -> float:
    ours, bare = (median(of(turn) for turn in measured.fan_out[name]) for name in _NAMES)
    return ours / bare


def _at(times: list[float], share: float) -> str:
    return f"{sorted(times)[int(len(times) * share)] * 1e3:.1f} ms"
