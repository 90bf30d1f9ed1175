"""Moderation of answers to open questions."""

from uuid import UUID

from insula.db import RowNotFound, Work
from insula.events import emit
from insula.http.exchange import Caller

from insula_tenants.polls.channels import result_channel
from insula_tenants.polls.events import ANSWERED, AnswerShown
from insula_tenants.polls.queries import polls, votes
from insula_tenants.polls.schemas import Answer, Moderation
from insula_tenants.polls.service.editing import check


async def moderate(tx: Work, poll_id: UUID, order: Moderation, caller: Caller) -> list[Answer]:
    """Show, hold back or reject answers. Their votes count all the same.

    Raises:
        RowNotFound: one of them is no answer in this poll.
    """
    poll = check(await tx.one(polls.GET, id=poll_id), caller)
    changed = await tx.many(
        votes.MODERATE, answers=order.answers, poll_id=poll_id, state=order.state
    )
    if len(changed) < len(set(order.answers)):
        raise RowNotFound
    if order.state == "shown":
        channels, actor = (result_channel(poll),), caller.user_id
        for each in changed:
            shown = AnswerShown(poll_id, each.id, each.answer)
            await emit(
                tx, ANSWERED, shown, subject=f"polls/{poll_id}", actor=actor, channels=channels
            )
    return changed
