"""What resolvers of subscriptions are told."""

from typing import Any

import msgspec


class Told(msgspec.Struct):
    """Something that a channel says: an event (its name has dots), or the present state
    (``snapshot`` at first, ``reset`` where events were missed)."""

    type: str
    id: str = ""
    data: Any = None
    problem: dict[str, Any] | None = None
