"""The whole page."""

from collections.abc import Sequence
from html import escape

import numpy as np
import polars as pl

from insula_simulator.network.account import BUCKETS, FASTEST, PER_DECADE, Ledger
from insula_simulator.report.charts import lines
from insula_simulator.report.world import world
from insula_simulator.results import Place, Result
from insula_simulator.scenario import Scenario

_STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--land:#e8edf3;
--page:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e5e7eb;--soft:#9ca3af;--line:#374151;--land:#1f2a37;
--page:#111827}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:2rem auto;
max-width:1000px;padding:0 1rem}
h1{margin:0}p.text{white-space:pre-line;max-width:70ch}
.figures{display:flex;flex-wrap:wrap;gap:1.5rem;margin:1.2rem 0}.figures div{min-width:7rem}
.figures b{display:block;font-size:1.5rem}.figures span{color:var(--soft)}
figure{margin:1.5rem 0;display:inline-block;width:100%;max-width:490px}
figcaption{font-weight:600}svg{width:100%;height:auto}
polyline{fill:none;stroke-width:1.8}.grid,.way{stroke:var(--line)}.way{stroke-width:1.2}
.tick,.note,.name{font-size:11px;fill:var(--soft)}.name{font-size:12px;fill:var(--ink)}
.span{fill:#dc2626;opacity:.12}.land{fill:var(--land)}
.users{fill:#2563eb;opacity:.25}.edge{fill:#2563eb}.shield{fill:#d97706}.origin{fill:#dc2626}
.legend span{margin-right:1rem;color:var(--soft)}.legend i{display:inline-block;width:10px;
height:10px;margin-right:5px;background:currentColor}
.legend i.users,.legend i.edge{background:#2563eb}
.legend i.shield{background:#d97706}.legend i.origin{background:#dc2626}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child{text-align:left}
"""


def page(scenario: Scenario, result: Result, series: pl.DataFrame, total: Ledger) -> str:
    """The report of a run, self-contained: no script, nothing loaded."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(result.name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(result.name)}</h1><p class=text>{escape(scenario.text)}</p>"
        f"{_figures(result)}{world(scenario, result)}{_over_time(scenario, series)}"
        f"{_distributions(scenario, total)}<h2>Sites</h2>{_sites(result)}"
        f"<h2>Latency by region</h2>{_regions(result)}<h2>Cost</h2>{_costs(result)}"
        f"<p class=legend>{result.requests:,} requests in {result.seconds:,.0f} simulated seconds, "
        f"seed {result.seed}.</p></html>"
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


def _over_time(scenario: Scenario, series: pl.DataFrame) -> str:
    minutes = (series["second"] / 60).to_list()
    width = scenario.duration / len(series)
    counts = np.maximum(series["requests"].to_numpy(), 1)
    spans = [
        (each.start / 60, (each.start + each.duration) / 60, f"{each.target} {each.kind}")
        for each in scenario.failures
    ]

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
    latency = [(name, (series[name] * 1000).to_list()) for name in ("p50", "p90", "p99")]
    return (
        lines("Share of requests", minutes, ratio, unit=" %", spans=spans, top=100)
        + lines("Load", minutes, load, unit="/s", spans=spans)
        + lines("Latency", minutes, latency, unit=" ms", spans=spans)
    )


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
    return f"{1 - place.asked_upstream / place.requests:.1%}" if place.requests else "–"


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
