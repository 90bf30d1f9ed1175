"""Notes at ``/graphql``."""

from collections.abc import AsyncGenerator
from uuid import UUID

import strawberry
from insula.graphql import (
    Context,
    Graph,
    Info,
    connection,
    field,
    input_of,
    key_of,
    node,
    read,
    subscription,
)
from insula.graphql.core import User, load_users
from insula.http.conditional import etag_of

from insula_tenants.notes import queries, schemas, service
from insula_tenants.notes.events import subject_of
from insula_tenants.notes.permissions import READ, WRITE


async def load_notes(context: Context, ids: list[UUID]) -> list[schemas.Note]:
    return await context.tx.many(queries.GET_MANY, ids=ids)


async def _author(root: strawberry.Parent[schemas.NoteLine], info: Info) -> User | None:
    """Who has written it."""
    return await info.context.load(load_users, root.author_id)


@node(schemas.Note, load=load_notes, right=READ, line=schemas.NoteLine)
class Note:
    """A note in Markdown."""

    author: User | None = field(right="users:read")(_author)


NoteCreate = input_of(schemas.NoteCreate)
NoteUpdate = input_of(schemas.NoteUpdate)


@strawberry.type
class Query:
    notes = connection(queries.LIST, Note, right=READ, description="The notes, as a list.")

    @field(right=READ)
    async def note(self, info: Info, id: strawberry.ID) -> Note | None:
        """One note, by its global id or its UUID."""
        return await info.context.load(load_notes, key_of(id, "Note"))


@strawberry.type
class Mutation:
    @field(right=WRITE)
    async def create_note(self, info: Info, note: NoteCreate) -> Note:
        """Write a note."""
        new = read(note, schemas.NoteCreate)
        return await service.create(info.context.tx, new, info.context.caller.user_id)

    @field(right=WRITE)
    async def update_note(
        self,
        info: Info,
        id: strawberry.ID,
        changes: NoteUpdate,
        revision: int | None = None,
    ) -> Note:
        """Change a note; with the `revision` that was read, to be told when somebody was faster."""
        match = None if revision is None else etag_of(revision)
        return await service.update(
            info.context.tx,
            key_of(id, "Note"),
            read(changes, schemas.NoteUpdate),
            info.context.caller.user_id,
            match,
        )

    @field(right=WRITE)
    async def delete_note(
        self, info: Info, id: strawberry.ID, revision: int | None = None
    ) -> strawberry.ID:
        """Put a note into the trash. Returns its id."""
        match = None if revision is None else etag_of(revision)
        caller = info.context.caller.user_id
        await service.delete(info.context.tx, key_of(id, "Note"), caller, match)
        return id


@strawberry.type(description="Something that happened to a note.")
class NoteEvent:
    kind: str = strawberry.field(
        description="The event's name, such as `notes.note.updated`; `snapshot` comes first, and "
        "`reset` where events may have been missed."
    )
    note: Note | None = strawberry.field(description="The note as it is now; null in the trash.")


@strawberry.type
class Subscription:
    @subscription(right=READ)
    async def note_changed(self, info: Info, id: strawberry.ID) -> AsyncGenerator[NoteEvent, None]:
        """What happens to a note, beginning with how it stands."""
        key = key_of(id, "Note")
        async for told in info.context.watch(subject_of(key)):
            yield NoteEvent(kind=told.type, note=await info.context.load(load_notes, key))


GRAPH = Graph(query=Query, mutation=Mutation, subscription=Subscription, nodes=(Note,))
