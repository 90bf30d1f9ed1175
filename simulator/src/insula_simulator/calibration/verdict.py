"""A calibration for people: a table, and what a scenario should say."""

from insula_simulator.calibration.measuring import Calibration

POINTS, BYTE_POINTS = 1.0, 2.0
"""Percentage points of hit ratio and of byte hit ratio that simulator and NGINX may differ."""


def is_near(result: Calibration) -> bool:
    by_bytes = abs(result.difference.byte_hit_ratio)
    return abs(result.difference.hit_ratio) <= POINTS and by_bytes <= BYTE_POINTS


def as_fragment(result: Calibration) -> str:
    """What a scenario should say, for the machine that this was measured on."""
    origin = max(result.miss.fixed - result.hit.fixed, 1e-6)
    hit, miss = result.hit, result.miss
    return (
        f"# nginx {result.nginx}, max_size={result.size}, {result.requests:,} requests:\n"
        f"# hit ratio {result.real.hit_ratio:.4f} measured, {result.simulated.hit_ratio:.4f} "
        f"simulated. Objects are stored with {result.per_object} bytes more,\n"
        f"# in blocks of {result.block}; max_size holds so many bytes of bodies:\n"
        f'[[edges]]\ncache = {{ size = {result.body_size}, policy = "lru" }}\n'
        f"servers = {{ service = {hit.fixed:.6f}, spread = {hit.spread:.2f} }}\n\n"
        f"[origin]\nservers = {{ service = {origin:.6f}, spread = {miss.spread:.2f} }}\n"
    )


def as_text(result: Calibration) -> str:
    rows = [
        ("hit ratio", result.real.hit_ratio, result.simulated.hit_ratio,
         result.difference.hit_ratio, POINTS),
        ("byte hit ratio", result.real.byte_hit_ratio, result.simulated.byte_hit_ratio,
         result.difference.byte_hit_ratio, BYTE_POINTS),
    ]  # fmt: skip
    table = "".join(
        f"{name:<16}{real:>10.4f}{simulated:>12.4f}{points:>+10.2f} points"
        f"  ({'within' if abs(points) <= wanted else 'BEYOND'} {wanted:g})\n"
        for name, real, simulated, points, wanted in rows
    )
    return (
        f"nginx {result.nginx}, {result.requests:,} requests for {result.objects:,} objects in "
        f"{result.seconds:.1f} s\n"
        f"max_size {result.size:,}, on disk at the end {result.on_disk:,}; each object "
        f"{result.per_object} bytes more, in blocks of {result.block}\n\n"
        f"{'':<16}{'nginx':>10}{'simulated':>12}{'difference':>17}\n{table}"
        f"{'same fate':<16}{'':>10}{result.agreement:>12.4f}\n\n"
        f"{'':<16}{'fixed':>10}{'bytes/s':>16}{'p50':>12}{'p99':>12}\n"
        + "".join(
            f"{name:<16}{fit.fixed * 1e3:>7.3f} ms{fit.bytes_per_second:>16,.0f}"
            f"{fit.p50 * 1e3:>9.3f} ms{fit.p99 * 1e3:>9.3f} ms\n"
            for name, fit in (("hit", result.hit), ("miss", result.miss))
        )
        + f"\n{as_fragment(result)}"
    )
