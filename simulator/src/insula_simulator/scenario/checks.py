"""What types cannot say of classes of content and of what is done to them."""

from collections.abc import Sequence
from typing import Protocol

from insula_simulator.scenario.content import Content, Purge, Push
from insula_simulator.scenario.parts import ScenarioError

MOST_OBJECTS = 100_000_000
MOST_CHUNKS = 1 << 20
"""Pieces of an object: 20 bits of a key."""
MOST_PURGES = 1_000_000
MOST_PUSHED = 10_000_000
ALL = "traffic"
"""What the only class is called in URLs where there are no others."""


class Member(Protocol):
    """A site, as far as it may be in a cluster."""

    @property
    def cluster(self) -> str | None: ...


def check_clusters(shields: Sequence[Member]) -> None:
    """Raises ScenarioError."""
    for i, site in enumerate(shields):
        if site.cluster is not None:
            raise ScenarioError(f"shields have no siblings - at `$.shields[{i}].cluster`")


def check_classes(classes: list[Content], *, traced: bool) -> None:
    """Raises ScenarioError."""
    if classes and traced:
        raise ScenarioError("a trace says itself what is asked for - at `$.traffic.classes`")
    names = [each.name for each in classes]
    for i, each in enumerate(classes):
        key = f"$.traffic.classes[{i}]"
        if each.name in names[:i]:
            raise ScenarioError(f"the name {each.name!r} is taken - at `{key}.name`")
        if "*" in each.tags:
            raise ScenarioError(f"'*' is what all objects carry - at `{key}.tags`")
        if each.chunk is None and each.range is not None:
            raise ScenarioError(f"ranges need a size of chunks - at `{key}.range`")
        if each.chunk is None and each.prefetch:
            raise ScenarioError(f"only pieces are prefetched: give `chunk` - at `{key}.prefetch`")
        if each.chunk is not None and each.vary:
            raise ScenarioError(f"pieces have no variants - at `{key}.vary`")
        if len({variant.name for variant in each.vary}) < len(each.vary):
            raise ScenarioError(f"a name is taken - at `{key}.vary`")
        if each.chunk is not None and each.sizes.largest > each.chunk * MOST_CHUNKS:
            raise ScenarioError(f"over {MOST_CHUNKS:,} chunks an object - at `{key}.chunk`")
    if sum(each.objects for each in classes) > MOST_OBJECTS:
        raise ScenarioError(f"over {MOST_OBJECTS:,} objects in all - at `$.traffic.classes`")


def check_purges(purges: list[Purge], classes: list[Content], duration: float) -> None:
    """Raises ScenarioError."""
    tags = {tag for each in classes for tag in each.tags} | {"*"}
    objects = {each.name: each.objects for each in classes} or {ALL: 1 << 30}
    for i, purge in enumerate(purges):
        key = f"$.purges[{i}]"
        if (purge.tag is None) == (purge.url is None):
            raise ScenarioError(f"either a tag or a url - at `{key}`")
        if purge.tag is not None and purge.tag not in tags:
            raise ScenarioError(f"no class has the tag {purge.tag!r} - at `{key}.tag`")
        count = 1
        if purge.url is not None:
            first, last = _numbers(purge.url, objects, key)
            count = last - first + 1
        if purge.every > 0:
            count *= int(max(duration - purge.at, 0) / purge.every) + 1
        if count > MOST_PURGES:
            raise ScenarioError(f"over {MOST_PURGES:,} purges - at `{key}`")


def _numbers(url: str, objects: dict[str, int], key: str) -> tuple[int, int]:
    name, first, last = url_parts(url)
    if name not in objects:
        raise ScenarioError(f"there is no class {name!r} - at `{key}.url`")
    if not first <= last < objects[name]:
        raise ScenarioError(f"objects are 0 to {objects[name] - 1} - at `{key}.url`")
    return first, last


def check_pushes(
    pushes: list[Push], classes: list[Content], edges: list[str], objects: int, *, traced: bool
) -> None:
    """``objects`` is how many there are where there are no classes. Raises ScenarioError."""
    known = {each.name: each for each in classes}
    counts = {each.name: each.objects for each in classes} or {ALL: objects}
    rows = 0
    for i, push in enumerate(pushes):
        key = f"$.pushes[{i}]"
        if traced:
            raise ScenarioError(f"nobody knows the sizes of a trace's objects - at `{key}`")
        first, last = _numbers(push.url, counts, key)
        for k, edge in enumerate(push.edges):
            if edge not in edges:
                raise ScenarioError(f"there is no edge {edge!r} - at `{key}.edges[{k}]`")
        about = known.get(url_parts(push.url)[0])
        pieces = -(-about.sizes.largest // about.chunk) if about and about.chunk else 1
        rows += (last - first + 1) * min(pieces, push.chunks or pieces) * len(push.edges or edges)
        if rows > MOST_PUSHED:
            raise ScenarioError(f"over {MOST_PUSHED:,} pieces pushed - at `{key}`")


def url_parts(url: str) -> tuple[str, int, int]:
    """Class, first and last object."""
    name, _, numbers = url.rpartition("/")
    first, _, last = numbers.partition("-")
    return name, int(first), int(last or first)
