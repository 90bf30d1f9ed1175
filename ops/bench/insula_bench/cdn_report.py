"""The section on the network simulator."""

from statistics import median

from insula_bench.cdn import (
    CITIES,
    EDGE_BYTES,
    HASH_POWER,
    OBJECTS,
    POLICY_BYTES,
    SHIELD_BYTES,
    SHIELDS,
    Found,
)

_TARGET = 1.0
_SECOND_CORE = 1.6


def section(found: Found) -> str:
    threads = max(found.network)
    ours = median(found.network[threads])
    rows = [
        f"| network, {count} thread{'s' if count > 1 else ''} | {_millions(rates)} | |"
        for count, rates in found.network.items()
    ]
    for name, rates in found.one_cache.items():
        ratio = ours / median(rates)
        mark = "yes" if ratio >= _TARGET else "**no**"
        rows.append(f"| libCacheSim, {name} | {_millions(rates)} | {ratio:.2f} ({mark}) |")
    second = ours / median(found.network[1])
    memory = ", ".join(f"{count:,}: {size:,.0f} MB" for count, size in found.megabytes.items())
    return (
        f"## CDN simulator\n\n{len(CITIES)} edges of {EDGE_BYTES / 1e9:,.0f} GB (LRU), "
        f"{len(SHIELDS)} shields of {SHIELD_BYTES / 1e9:,.0f} GB and an origin, with round trips "
        "by great circle, queues and request collapsing, drawing its own traffic: Zipf 1.0 over "
        f"{OBJECTS:,} objects of about 160 kB, {found.requests:,} requests, starting empty; its "
        f"edges' hit ratio is {found.hit_ratio:.2f}. Beside it one cache of an edge's size in "
        "libCacheSim's C engine, reading the very same requests (oracleGeneral, `process_trace`, "
        f"hash power {HASH_POWER}), in turns. Target: at least {_TARGET} of each.\n\n"
        "| | million requests a second | network beside it |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n{threads} threads against one: {second:.2f} times (target {_SECOND_CORE}). "
        f"Memory by requests: {memory}.\n\n{_policies(found)}\n\n"
        "Again: `python ops/bench/run.py --only cdn`\n"
    )


def _policies(found: Found) -> str:
    """One cache: `insula-cdn cache` beside libCacheSim."""
    rows = [
        f"| {name} | {ours / 1e6:.2f} | {theirs / 1e6:.2f} | {ours / theirs:.2f} |"
        for name, (ours, theirs) in found.policies.items()
    ]
    return (
        f"One cache of {POLICY_BYTES / 1e9:,.0f} GB, {found.requests // 10:,} such requests read "
        "from a file, million requests a second, one turn:\n\n"
        "| policy | `insula-cdn cache` | libCacheSim | ratio |\n|---|---|---|---|\n"
        + "\n".join(rows)
    )


def _millions(rates: list[float]) -> str:
    low, high = min(rates) / 1e6, max(rates) / 1e6
    return f"{median(rates) / 1e6:.2f} ({low:.2f} to {high:.2f})"
