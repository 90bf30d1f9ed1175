"""What users ask for, in classes, and what is done to it besides being asked for."""

from typing import Annotated, Literal

from msgspec import Meta, field

from insula_simulator.scenario.parts import AtLeastZero, Name, Part, Positive, Share

LargestObject = Annotated[int, Meta(ge=1, le=1 << 40)]

Url = Annotated[str, Meta(max_length=120, pattern=r"^[\w .-]+/\d{1,8}(-\d{1,8})?$")]


class Sizes(Part, frozen=True):
    """Object sizes: lognormal, with a Pareto tail for a share of them."""

    median: Positive = 30_000.0
    sigma: Annotated[float, Meta(ge=0, le=5)] = 1.5
    pareto_share: Share = 0.02
    pareto_alpha: Annotated[float, Meta(gt=0, le=10)] = 1.2
    largest: LargestObject = 1_000_000_000


class Variant(Part, frozen=True):
    """What one kind of client gets, by ``Vary``: ``share`` is of the class's requests, relative to
    the other variants, ``size`` times the object's bytes."""

    name: Name
    share: Positive = 1.0
    size: Annotated[float, Meta(gt=0, le=1000)] = 1.0


class Content(Part, frozen=True):
    """A class of objects. ``share`` is of requests, relative to the other classes."""

    name: Name
    share: Positive = 1.0
    objects: Annotated[int, Meta(ge=1, le=50_000_000)] = 10_000
    zipf: Annotated[float, Meta(ge=0, le=3)] = 0.9
    drift: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    one_hit_wonders: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    sizes: Sizes = field(default_factory=Sizes)
    tags: Annotated[dict[Name, Share], Meta(max_length=16)] = field(default_factory=dict)
    """The share of the class's objects that carries each tag (its surrogate keys)."""
    cacheable: bool = True
    """False: every request is passed on to the origin."""
    ttl: Positive | None = None
    """This and the next two: as ``http`` has them where nothing is said."""
    stale_while_revalidate: AtLeastZero | None = None
    stale_if_error: AtLeastZero | None = None
    chunk: LargestObject | None = None
    """Caches keep and fetch pieces of so many bytes, each with a key of its own."""
    range: LargestObject | None = None
    """Bytes that a viewer asks for at a time; where nothing is said, a chunk."""
    prefetch: Annotated[int, Meta(ge=0, le=100)] = 0
    """Chunks that an edge fetches ahead of each request."""
    pace: Positive = 4.0
    """Seconds between two ranges of a viewer."""
    finish: Share = 1.0
    """Share of viewers that see an object to its end."""
    watched: Annotated[float, Meta(gt=0, le=1)] = 0.3
    """What the others see of it on average."""
    vary: Annotated[list[Variant], Meta(max_length=1000)] = field(default_factory=list)
    """Variants of each object, which caches keep apart (RFC 9111, section 4.1)."""


class Purge(Part, frozen=True):
    """By ``tag`` (``*`` is everything) or by ``url``: ``CLASS/NUMBER``, or ``CLASS/FIRST-LAST``,
    objects counted from the most popular, 0. Soft makes stale, hard makes gone."""

    at: AtLeastZero
    tag: Annotated[str, Meta(max_length=64)] | None = None
    url: Annotated[str, Meta(max_length=120, pattern=r"^[\w .-]+/\d{1,8}(-\d{1,8})?$")] | None = (
        None
    )
    kind: Literal["soft", "hard"] = "hard"
    delay: AtLeastZero = 0.15
    """Seconds until sites hear of it, and half a round trip from the origin."""
    every: AtLeastZero = 0.0
    """Again and again, so many seconds apart; 0 is once."""
    over: AtLeastZero = 0.0
    """Seconds over which the objects of a range are purged one after the other."""


class Push(Part, frozen=True):
    """Objects that edges fetch at a time, before anybody asks. ``url`` as in purges."""

    at: AtLeastZero
    url: Url
    edges: Annotated[list[Name], Meta(max_length=250)] = field(default_factory=list)
    """By name; where none is named, all."""
    over: AtLeastZero = 0.0
    """Seconds over which they are fetched one after the other."""
    chunks: Annotated[int, Meta(ge=1, le=1 << 20)] | None = None
    """Of each object its first so many; where nothing is said, all."""


class Peers(Part, frozen=True):
    """Edges with the same ``cluster`` ask each other before they ask upstream."""

    ask: Annotated[int, Meta(ge=1, le=16)] = 2
    """Siblings asked at once."""


class Admission(Part, frozen=True):
    """What a cache stores if it has it not. All that are given must agree."""

    largest: Annotated[int, Meta(ge=1, le=1 << 50)] | None = None
    scale: Positive | None = None
    """Bytes: an object is stored with probability exp(-size / scale), as AdaptSize does."""
    window: Annotated[int, Meta(ge=1000, le=1_000_000_000)] | None = None
    """``scale`` is found anew after so many requests of the site, by AdaptSize's model of them; it
    begins with the scale given, or with the size of the cache."""
    seen: Annotated[int, Meta(ge=0, le=100_000_000)] = 0
    """Only what is among the last so many different objects asked for: the second time, that is."""


class Ram(Part, frozen=True):
    size: Annotated[int, Meta(ge=1, le=1 << 50)]
    policy: str = "lru"


class Disk(Part, frozen=True):
    """Each of ``count`` disks takes ``seek`` seconds and then reads ``throughput`` bytes a
    second. The defaults are of one NVMe drive."""

    count: Annotated[int, Meta(ge=1, le=1000)] = 1
    seek: AtLeastZero = 0.0001
    throughput: Positive = 2e9
