"""Statistics and imitations for people."""

from insula_simulator.workload.statistics import Statistics
from insula_simulator.workload.synthesis import Imitation

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 40


def spark(values: list[float]) -> str:
    """A line of bars, the highest for the largest value."""
    top = max(values, default=0.0)
    return "".join(_BARS[round(value / top * (len(_BARS) - 1))] for value in values) if top else ""


def statistics_text(found: Statistics) -> str:
    zipf, sizes = found.popularity, found.sizes
    rows = [
        ("requests", f"{found.requests:,}"),
        ("bytes", f"{found.bytes:,}"),
        ("objects", f"{found.objects:,}, {found.object_bytes:,} bytes"),
        ("one-hit wonders", f"{found.one_hit_wonders:.4f} of the objects"),
        ("working set", f"{found.working_set['objects']:,.0f} objects, "
                        f"{found.working_set['bytes']:,.0f} bytes in 65,536 requests"),
        ("popularity", f"Zipf {zipf.exponent:.3f} ± {zipf.error:.3f} over {zipf.ranks:,} ranks, "
                       f"off by {zipf.distance:.3f}"),
        ("sizes", f"median {sizes.median:,.0f}, sigma {sizes.sigma:.2f}, mean {sizes.mean:,.0f}, "
                  f"largest {sizes.largest:,}, off by {sizes.distance:.3f}"),
        ("tail", f"Pareto {sizes.pareto_alpha:.2f} ± {sizes.pareto_error:.2f}, "
                 f"{sizes.pareto_share:.4f} of the objects" if sizes.pareto_share else "none"),
        ("time", f"{found.seconds:,.1f} s, daily wave {found.diurnal:.2f}"),
    ]  # fmt: skip
    if found.rate:
        rows.append(("rate", f"{spark(found.rate)} up to {max(found.rate):,.1f}/s"))
    text = "".join(f"{name:<16} {value}\n" for name, value in rows)
    text += _histogram("asked again within … objects (an LRU cache of so many hits so often)",
                       found.reuse.within_objects)  # fmt: skip
    return text + _histogram("asked again within … seconds", found.reuse.within_seconds)


def _histogram(title: str, shares: dict[str, float]) -> str:
    lines = [
        f"{limit:>12} {share:7.4f} {'█' * round(share * _WIDTH)}\n"
        for limit, share in shares.items()
    ]
    return f"\n{title}\n{''.join(lines)}" if lines else ""


def imitation_text(found: Imitation) -> str:
    lines = "".join(
        f"{point.size:>18,}{point.real:>9.4f}{point.synthetic:>11.4f}"
        f"{100 * (point.synthetic - point.real):>+9.2f} points\n"
        for point in found.curve
    )
    real, drawn = found.zipf_real, found.zipf_synthetic
    return (
        f"{'LRU cache, bytes':>18}{'real':>9}{'synthetic':>11}{'difference':>16}\n{lines}"
        f"{'mean, worst':>18}{found.difference:>20.2f}, {found.worst:.2f} points\n\n"
        f"Zipf exponent {real.exponent:.3f} ± {real.error:.3f} real, "
        f"{drawn.exponent:.3f} ± {drawn.error:.3f} synthetic\n"
        f"objects {found.objects_real:,} real, {found.objects_synthetic:,} synthetic\n"
    )
