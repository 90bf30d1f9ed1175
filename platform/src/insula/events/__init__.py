"""Events: what happened, written in the transaction in which it happened.

A module declares each kind once, in its ``events.py``, and its service emits::

    PUBLISHED = EventType("blog.article.published", ArticlePublished, "An article went public.")
    await emit(tx, PUBLISHED, ArticlePublished(id=article.id), subject=f"articles/{article.id}")

The row is part of the caller's transaction (a transactional outbox). The relay numbers it, keeps it
in the tenant's log and wakes whoever consumes it: listeners, webhooks, live channels, the broker.
At least once, in order per subject; ``id`` tells a consumer what it has had.
"""

from insula.events.outbox import emit, emit_all
from insula.events.types import Event, EventType, Listener

__all__ = ["Event", "EventType", "Listener", "emit", "emit_all"]
