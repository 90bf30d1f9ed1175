"""The section on the network simulator."""

from statistics import median

from insula_bench.cdn import CITIES, HASH_POWER, SHIELDS, Found

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
        f"## CDN simulator\n\n{len(CITIES)} edges, {len(SHIELDS)} shields and an origin with round"
        " trips by great circle, queues and request collapsing, making its own Zipf 0.9 traffic, "
        "against one cache of libCacheSim's C engine on the same requests (oracleGeneral, "
        f"`process_trace`, hash power {HASH_POWER}), {found.requests:,} requests, in turns. "
        f"Target: at least {_TARGET} of each.\n\n"
        "| | million requests a second | network beside it |\n|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\n{threads} threads against one: {second:.2f} times (target {_SECOND_CORE}). "
        f"Memory by requests: {memory}.\n\nAgain: `python ops/bench/run.py --only cdn`\n"
    )


def _millions(rates: list[float]) -> str:
    low, high = min(rates) / 1e6, max(rates) / 1e6
    return f"{median(rates) / 1e6:.2f} ({low:.2f} to {high:.2f})"
