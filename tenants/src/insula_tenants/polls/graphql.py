"""Polls at ``/graphql``."""

from collections.abc import AsyncGenerator
from uuid import UUID

import strawberry
from insula.access import PUBLIC
from insula.graphql import (
    Context,
    Graph,
    Info,
    connection,
    field,
    input_of,
    key_of,
    node,
    of_struct,
    read,
    subscription,
)
from insula.graphql.core import User, load_users
from insula.http.conditional import etag_of
from insula.http.problem import Forbidden
from insula.i18n import say
from strawberry.scalars import JSON

from insula_tenants.polls import schemas
from insula_tenants.polls.channels import public_channel
from insula_tenants.polls.permissions import READ, WRITE
from insula_tenants.polls.queries import polls
from insula_tenants.polls.service import editing, lifecycle, results, voting
from insula_tenants.polls.service.voters import Visitor


async def load_polls(context: Context, ids: list[UUID]) -> list[schemas.Poll]:
    found = await context.tx.many(polls.GET_MANY, ids=ids)
    return [editing.as_shown(poll, context.caller) for poll in found]


async def _author(root: strawberry.Parent[schemas.PollLine], info: Info) -> User | None:
    """Who has made it."""
    return await info.context.load(load_users, root.author_id)


def _visitor(context: Context, token: str | None = None) -> Visitor:
    return Visitor(context.services["settings"].secret_key, context.visitor, token, None)


@of_struct(schemas.Results)
class PollResults:
    """The tally as far as votes have been counted."""

    counts: JSON = strawberry.field(description="Votes by option id, by rating or by ranking.")


async def _tally(root: strawberry.Parent[schemas.PollLine], info: Info) -> PollResults:
    """The results, as far as the poll shows them to who asks."""
    return await results.results_for(info.context.tx, root.id, _visitor(info.context))


@node(schemas.Poll, load=load_polls, right=READ, line=schemas.PollLine)
class Poll:
    """A poll. The right answer of a quiz is left out for those who do not run it."""

    author: User | None = field(right="users:read")(_author)
    tally: PollResults | None = field(right=READ)(_tally)


@of_struct(schemas.Receipt)
class VoteReceipt:
    """A vote was counted."""


PollCreate = input_of(schemas.PollCreate)
PollUpdate = input_of(schemas.PollUpdate)
VoteCast = input_of(schemas.VoteCast)


@strawberry.type
class Query:
    polls = connection(polls.LIST, Poll, right=READ, description="The polls, the newest first.")


@strawberry.type
class Mutation:
    @field(right=WRITE)
    async def create_poll(self, info: Info, poll: PollCreate) -> Poll:
        """Make a poll. It opens at once, unless it is a draft or has its time still to come."""
        caller = info.context.caller
        new = read(poll, schemas.PollCreate)
        return editing.as_shown(await editing.create(info.context.tx, new, caller.user_id), caller)

    @field(right=WRITE)
    async def update_poll(
        self, info: Info, id: strawberry.ID, changes: PollUpdate, version: int | None = None
    ) -> Poll:
        """Change a poll. Once there are votes, only `closesAt` can be changed."""
        caller, update = info.context.caller, read(changes, schemas.PollUpdate)
        key, match = key_of(id, "Poll"), _match(version)
        poll = await editing.update(info.context.tx, key, update, caller, match)
        return editing.as_shown(poll, caller)

    @field(right=WRITE)
    async def close_poll(self, info: Info, id: strawberry.ID, version: int | None = None) -> Poll:
        """Take no more votes."""
        context, caller = info.context, info.context.caller
        found = await context.tx.one(polls.LOCK_STATE, id=key_of(id, "Poll"))
        stored = editing.check(found, caller, _match(version))
        return editing.as_shown(
            await lifecycle.close_now(context.tx, stored, caller.user_id), caller
        )

    @field(right=WRITE)
    async def delete_poll(
        self, info: Info, id: strawberry.ID, version: int | None = None
    ) -> strawberry.ID:
        """Delete a poll and its votes for good. Returns its id."""
        caller = info.context.caller
        await editing.delete(info.context.tx, key_of(id, "Poll"), caller, _match(version))
        return id

    @field(right=PUBLIC)
    async def cast_vote(
        self, info: Info, id: strawberry.ID, vote: VoteCast, token: str | None = None
    ) -> VoteReceipt:
        """Vote, as a signed-in user or by a voting token. Browsers that vote by their cookie do so
        over REST, which gives them one."""
        context, key = info.context, key_of(id, "Poll")
        if (await context.tx.one(polls.GET, id=key)).voters == "cookie":
            raise Forbidden(
                say("Vote at POST /api/v1/polls/{key}/votes: it gives you the cookie.", key=key)
            )
        cast = read(vote, schemas.VoteCast)
        receipt, _ = await voting.cast_vote(context.tx, key, cast, _visitor(context, token))
        return receipt


def _match(version: int | None) -> str | None:
    return None if version is None else etag_of(version)


@strawberry.type(description="Something that a poll's channel says.")
class PollNews:
    kind: str = strawberry.field(
        description="`snapshot` with the state, then the names of events, such as `polls.tally`."
    )
    data: JSON | None


@strawberry.type
class Subscription:
    @subscription(right=PUBLIC)
    async def poll_news(self, info: Info, id: strawberry.ID) -> AsyncGenerator[PollNews, None]:
        """The results as they come in, where the poll shows them to everybody who sees it."""
        async for told in info.context.watch(public_channel(key_of(id, "Poll"))):
            yield PollNews(kind=told.type, data=told.data)


GRAPH = Graph(query=Query, mutation=Mutation, subscription=Subscription, nodes=(Poll,))
