"""What became of classes of content, and of what edges fetched of themselves or from siblings."""

from html import escape

from insula_simulator.results import AheadResult, Result


def content(result: Result) -> str:
    """Nothing where the scenario says nothing of content."""
    rows = _ahead("prefetched", result.prefetched) + _ahead("pushed", result.pushed)
    if result.peers:
        peers = result.peers
        rows += f"<tr><td>from siblings<td>{peers.filled:,}<td>{_size(peers.bytes)}<td>–"
    brought = f"<h2>Fetched ahead, or from siblings</h2>{_table(_AHEAD, rows)}" if rows else ""
    return _classes(result) + _storage(result) + brought


_AHEAD = ("what", "fetches", "bytes", "asked for later")


def _table(names: tuple[str, ...], rows: str) -> str:
    return f"<table><tr>{''.join(f'<th>{name}' for name in names)}</tr>{rows}</table>"


def _ahead(name: str, found: AheadResult | None) -> str:
    if found is None:
        return ""
    size = _size(found.bytes)
    return f"<tr><td>{name}<td>{found.fetches:,}<td>{size}<td>{found.share_used:.1%} of bytes"


def _size(count: int) -> str:
    return f"{count / 1e9:,.2f} GB"


def _classes(result: Result) -> str:
    if not result.classes:
        return ""
    rows = "".join(
        f"<tr><td>{escape(name)}<td>{each.requests:,}<td>{each.hit_ratio:.1%}"
        f"<td>{each.fates['pass']:,}<td>{each.fates['error'] + each.fates['negative']:,}"
        for name, each in result.classes.items()
    )
    names = ("class", "requests", "hit ratio", "passed on", "errors")
    return f"<h2>Classes of content</h2>{_table(names, rows)}"


def _storage(result: Result) -> str:
    rows = "".join(
        f"<tr><td>{escape(place.name)}<td>{place.ram_hit_ratio:.1%}<td>{place.disk_hit_ratio:.1%}"
        for place in result.edges + result.shields
        if place.ram_hit_ratio is not None and place.disk_hit_ratio is not None
    )
    names = ("site", "answered from RAM", "from disk")
    return f"<h2>RAM and disks</h2>{_table(names, rows)}" if rows else ""
