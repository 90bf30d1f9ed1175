"""The section on the network simulator."""

from statistics import median

from insula_bench.cdn import CITIES, HASH_POWER, POLICY_BYTES, SHIELDS, Contest, Found

_TARGET = 1.0
_SECOND_CORE = 1.6


def section(found: Found) -> str:
    memory = ", ".join(f"{count:,}: {size:,.0f} MB" for count, size in found.megabytes.items())
    contests = "\n\n".join(_contest(*contest) for contest in found.contests.items())
    return (
        f"## CDN simulator\n\n{len(CITIES)} edges, {len(SHIELDS)} shields and an origin, with "
        "round trips by great circle, queues and request collapsing, drawing its own traffic: Zipf "
        f"1.0 over objects of about 160 kB, {found.requests:,} requests, starting empty; an "
        "edge's cache has room for a third of the catalogue, a shield's for two thirds. Beside it "
        "one cache of an edge's size in libCacheSim's C engine, reading the very same requests "
        "(oracleGeneral, "
        f"`process_trace`, hash power {HASH_POWER}), in turns. Target: at least {_TARGET} of each, "
        f"and {_SECOND_CORE} times one thread with two.\n\n{contests}\n\n"
        f"Memory by requests ({max(found.contests):,} objects): {memory}.\n\n"
        f"{_policies(found)}\n\nAgain: `python ops/bench/run.py --only cdn`\n"
    )


def _contest(objects: int, contest: Contest) -> str:
    threads = max(count for _, count in contest.network)
    rates = {key: median(turns) for key, turns in contest.network.items()}
    rows = [
        f"| network of {name}, {count} thread{'s' if count > 1 else ''} | {_millions(turns)} | | |"
        for (name, count), turns in contest.network.items()
    ]
    for name, turns in contest.one_cache.items():
        theirs = median(turns)
        compared = [_compared(rates[each, threads] / theirs) for each in ("LRU", name)]
        rows.append(f"| libCacheSim, {name} | {_millions(turns)} | {' | '.join(compared)} |")
    second = rates["LRU", threads] / rates["LRU", 1]
    return (
        f"A catalogue of {objects:,} objects, of which {contest.hit_ratio:.2f} is hit at the "
        f"edge; {threads} threads against one: {second:.2f} times.\n\n"
        "| | million requests a second | network of LRU beside it | of the same policy |\n"
        "|---|---|---|---|\n" + "\n".join(rows)
    )


def _compared(ratio: float) -> str:
    return f"{ratio:.2f} ({'yes' if ratio >= _TARGET else '**no**'})"


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
