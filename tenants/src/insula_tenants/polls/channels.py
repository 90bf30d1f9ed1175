"""Names of the live channels of a poll."""

from uuid import UUID

from insula_tenants.polls.queries.polls import Stored


def public_channel(poll_id: UUID) -> str:
    """Where everybody who may see the poll hears of its state."""
    return f"polls/{poll_id}"


def result_channel(poll: Stored) -> str:
    """Where its deltas go. While the results are not public the name has a key in it, which the
    results tell those who may see them: a voter with a token or a cookie can watch like a user."""
    public = public_channel(poll.id)
    return public if poll.results == "always" else f"{public}/{poll.watch_key}"


def channels_of(poll: Stored) -> tuple[str, ...]:
    """Where a change of the poll itself is told."""
    return tuple(dict.fromkeys((public_channel(poll.id), result_channel(poll))))
