"""The whole page."""

from collections.abc import Sequence
from functools import partial
from html import escape

import numpy as np
import polars as pl

from insula_simulator.network.account import BUCKETS, FASTEST, PER_DECADE, Ledger
from insula_simulator.report.charts import lines, time_axis
from insula_simulator.report.content import content
from insula_simulator.report.servers import incidents, servers, servers_over_time
from insula_simulator.report.style import framed
from insula_simulator.report.world import world
from insula_simulator.results import Place, Result
from insula_simulator.scenario import Purge, Scenario
from insula_simulator.watching import Watch

MOST_SITES = 6
"""Sites whose servers are drawn."""


def page(
    scenario: Scenario, result: Result, series: pl.DataFrame, total: Ledger, watch: Watch
) -> str:
    """The report of a run, self-contained: no script, nothing loaded."""
    return framed(
        result.name,
        f"<h1>{escape(result.name)}</h1><p class=text>{escape(scenario.text)}</p>"
        f"{_figures(result)}{world(scenario, result)}"
        f"{_over_time(scenario, result, series, watch)}"
        f"{_distributions(scenario, total)}<h2>Sites</h2>{_sites(result)}{content(result)}"
        f"{servers(result)}{incidents(result)}"
        f"<h2>Latency by region</h2>{_regions(result)}<h2>Cost</h2>{_costs(result)}"
        f"<p class=legend>{result.requests:,} requests in {result.seconds:,.0f} simulated seconds, "
        f"seed {result.seed}.</p>",
    )


def _figures(result: Result) -> str:
    rows = {
        "hit ratio": f"{result.hit_ratio:.1%}",
        "requests spared the origin": f"{result.request_offload:.1%}",
        "bytes spared the origin": f"{result.byte_offload:.1%}",
        "errors": f"{result.error_ratio:.3%}",
        "median latency": f"{result.latency['p50'] * 1000:.0f} ms",
        "p99 latency": f"{result.latency['p99'] * 1000:.0f} ms",
        "under way on average": f"{result.in_flight:,.1f}",
        "cost": f"{result.cost['total']:,.2f}",
    }
    cells = "".join(f"<div><b>{value}</b><span>{name}</span></div>" for name, value in rows.items())
    return f'<div class="figures">{cells}</div>'


def _over_time(scenario: Scenario, result: Result, series: pl.DataFrame, watch: Watch) -> str:
    unit, name = time_axis(scenario.duration)
    times = (series["second"] / unit).to_list()
    width = scenario.duration / len(series)
    counts = np.maximum(series["requests"].to_numpy(), 1)
    spans = [
        (each.start / unit, (each.start + each.duration) / unit, f"{each.target} {each.kind}")
        for each in result.failures
    ]
    spans += [(each.at / unit, each.at / unit, _purge(each)) for each in scenario.purges[:10]]

    def share(*fates: str) -> Sequence[float]:
        shares: list[float] = (
            series.select(fates).sum_horizontal().to_numpy() / counts * 100
        ).tolist()
        return shares

    ratio = [
        ("hit", share("hit", "stale", "stale_if_error")),
        ("collapsed", share("collapsed")),
        ("error", share("error", "negative")),
    ]
    load = [("requests", (series["requests"] / width).to_list())]
    latency = [(each, (series[each] * 1000).to_list()) for each in ("p50", "p90", "p99")]
    chart = partial(lines, spans=spans, across_unit=name)
    return (
        chart("Share of requests", times, ratio, unit=" %", top=100)
        + chart("Load", times, load, unit="/s")
        + chart("Latency", times, latency, unit=" ms")
        + _servers_over_time(scenario, result, watch, spans)
    )


def _servers_over_time(
    scenario: Scenario, result: Result, watch: Watch, spans: Sequence[tuple[float, float, str]]
) -> str:
    """As they were found after every chunk of requests: the origin's, and of the other sites those
    whose servers were the busiest."""
    unit, across = time_axis(scenario.duration)
    times = [second / unit for second in watch.seconds]
    names = [site.name for site in (*scenario.edges, *scenario.shields)] + ["origin"]

    def busiest(site: int) -> float:
        return max(
            (look[site].busy / max(1, look[site].there) for look in watch.servers), default=0
        )

    chosen = sorted(range(len(names) - 1), key=busiest, reverse=True)[: MOST_SITES - 1]
    sites = [len(names) - 1, *sorted(chosen)]
    offload = [("requests", (watch.offload() * 100).tolist())]
    busy, wait = (
        [(names[i], [float(look[i][column]) * factor for look in watch.servers]) for i in sites]
        for column, factor in ((1, 1), (2, 1000))
    )
    moments, there = servers_over_time(scenario, result, sites)
    chart = partial(lines, spans=spans, across_unit=across)
    return (
        chart("Spared the origin", times, offload, unit=" %", top=100)
        + chart("Servers", [second / unit for second in moments], there, unit="")
        + chart("Servers at work", times, busy, unit="")
        + chart("Wait for a server", times, wait, unit=" ms")
    )


def _purge(purge: Purge) -> str:
    return f"{purge.kind} purge of {purge.tag or purge.url}"


def _distributions(scenario: Scenario, total: Ledger) -> str:
    edges = FASTEST * 10 ** (np.arange(BUCKETS) / PER_DECADE) * 1000
    shown = edges <= 1000
    curves = []
    for i, region in enumerate(scenario.regions[:8]):
        histogram = total.by_region[i]
        share = np.cumsum(histogram) / max(1, histogram.sum()) * 100
        curves.append((region.name, share[shown].tolist()))
    return lines(
        "Latency by region, cumulative",
        edges[shown].tolist(),
        curves,
        unit=" %",
        across_unit="ms",
        top=100,
    )


def _sites(result: Result) -> str:
    rows = "".join(
        f"<tr><td>{escape(place.name)}<td>{kind}<td>{place.requests:,}<td>"
        f"{_share(place)}<td>{place.failed:,}<td>{place.peak_servers:,}<td>{place.server_hours:,.1f}"
        for kind, places in (
            ("edge", result.edges),
            ("shield", result.shields),
            ("origin", [result.origin]),
        )
        for place in places
    )
    return (
        "<table><tr><th>site<th>kind<th>requests<th>answered itself<th>failed<th>servers at most"
        f"<th>server hours</tr>{rows}</table>"
    )


def _share(place: Place) -> str:
    return f"{max(0, 1 - place.asked_upstream / place.requests):.1%}" if place.requests else "–"


def _regions(result: Result) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}"
        + "".join(f"<td>{value * 1000:,.0f} ms" for value in each.values())
        for name, each in result.latency_by_region.items()
    )
    return f"<table><tr><th>region<th>p50<th>p90<th>p99</tr>{rows}</table>"


def _costs(result: Result) -> str:
    rows = "".join(
        f"<tr><td>{name.replace('_', ' ')}<td>{value:,.2f}" for name, value in result.cost.items()
    )
    return f"<table><tr><th>part<th>cost</tr>{rows}</table>"
