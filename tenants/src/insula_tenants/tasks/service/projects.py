"""Projects, their members, and everybody's inbox."""

from uuid import UUID

import msgspec
from insula.db import RowNotFound, Work
from insula.db.ids import new_id
from insula.events import EventType, emit
from insula.http.conditional import require_match
from insula.http.problem import FieldError, InvalidInput
from insula.i18n import say
from msgspec import UNSET

from insula_tenants.tasks import events
from insula_tenants.tasks.clock import ZoneUnknown, zone_of
from insula_tenants.tasks.errors import InboxFixed, LastProjectOwner, TooMany
from insula_tenants.tasks.queries import projects as queries
from insula_tenants.tasks.queries import tasks
from insula_tenants.tasks.schemas.projects import Member, Project, ProjectCreate, ProjectUpdate
from insula_tenants.tasks.service import reminders
from insula_tenants.tasks.service.standing import reading, ruling
from insula_tenants.tasks.service.telling import channel, tell_of_project

MOST_MEMBERS = 1000


async def create(tx: Work, new: ProjectCreate, user_id: UUID) -> Project:
    """A project whose owner is who makes it."""
    _check_zone(new.zone)
    values = msgspec.structs.asdict(new) | {"title": new.title.strip(), "inbox_of": None}
    project = await tx.one(queries.INSERT, id=new_id(), **values)
    await tx.execute(queries.PUT_MEMBER, project_id=project.id, user_id=user_id, role="owner")
    await tell_of_project(tx, events.PROJECT_CREATED, project, user_id)
    return project


async def inbox(tx: Work, user_id: UUID) -> Project:
    """Where tasks go that name no project; made when it is first needed."""
    found = await tx.find(queries.INBOX, user_id=user_id)
    if found is not None:
        return found
    values = {"title": "Inbox", "description": "", "colour": "", "zone": "UTC"}
    await tx.execute(
        queries.INSERT_INBOX, id=new_id(), visibility="private", inbox_of=user_id, **values
    )
    project = await tx.one(queries.INBOX, user_id=user_id)
    await tx.execute(queries.PUT_MEMBER, project_id=project.id, user_id=user_id, role="owner")
    return project


async def update(
    tx: Work, project_id: UUID, change: ProjectUpdate, user_id: UUID, if_match: str | None
) -> Project:
    """Change what is given.

    Raises:
        ProjectNotYours: only owners may.
        InboxFixed: an inbox is neither shared nor archived.
    """
    standing = await ruling(tx, project_id, user_id)
    require_match(if_match, standing.version)
    given = {k: v for k, v in msgspec.structs.asdict(change).items() if v is not UNSET}
    if standing.inbox_of is not None and given.keys() & {"visibility", "archived"}:
        raise InboxFixed
    if change.zone is not UNSET:
        _check_zone(change.zone)
    if not given:
        return await tx.one(queries.GET, id=project_id, viewer=user_id)
    statement = queries.update_columns(tuple(sorted(given)))
    project = await tx.one(statement, project_id=project_id, **given)
    await tell_of_project(tx, events.PROJECT_UPDATED, project, user_id)
    return project


async def delete(tx: Work, project_id: UUID, user_id: UUID, if_match: str | None) -> None:
    """Delete a project with all its tasks, for good."""
    standing = await ruling(tx, project_id, user_id)
    require_match(if_match, standing.version)
    if standing.inbox_of is not None:
        raise InboxFixed
    await reminders.call_off_project(tx, project_id)
    await tx.execute(queries.DELETE, project_id=project_id)
    await tell_of_project(tx, events.PROJECT_DELETED, standing, user_id)


def _check_zone(zone: str) -> None:
    try:
        zone_of(zone)
    except ZoneUnknown as error:
        raise InvalidInput(errors=(FieldError("/zone", str(error)),)) from error


# Members


async def list_members(tx: Work, project_id: UUID, user_id: UUID) -> list[Member]:
    await reading(tx, project_id, user_id)
    return await tx.many(queries.LIST_MEMBERS, project_id=project_id)


async def put_member(
    tx: Work, project_id: UUID, member_id: UUID, role: str, user_id: UUID
) -> Member:
    """Give somebody a part in the project, or another one.

    Raises:
        ProjectNotYours, InboxFixed, TooMany: see there.
        LastProjectOwner: nobody else would own it.
        RowNotFound: there is no such active user.
    """
    standing = await ruling(tx, project_id, user_id)
    if standing.inbox_of is not None:
        raise InboxFixed
    if await tx.find(queries.USER, user_id=member_id) is None:
        raise RowNotFound
    if role != "owner":
        await _require_other_owner(tx, project_id, member_id)
    if await tx.one(queries.COUNT_MEMBERS, project_id=project_id) >= MOST_MEMBERS:
        raise TooMany(
            say("A project has at most {most_members} members.", most_members=MOST_MEMBERS)
        )
    await tx.execute(queries.PUT_MEMBER, project_id=project_id, user_id=member_id, role=role)
    await _tell_of_member(tx, events.MEMBER_PUT, project_id, member_id, user_id)
    return await tx.one(queries.GET_MEMBER, project_id=project_id, user_id=member_id)


async def remove_member(tx: Work, project_id: UUID, member_id: UUID, user_id: UUID) -> None:
    """End somebody's part, one's own included; they are unassigned from the project's tasks, unless
    the whole tenant works in it.

    Raises:
        ProjectNotYours, InboxFixed, LastProjectOwner: see there.
        RowNotFound: they have no part in it.
    """
    if member_id == user_id:
        standing = await tx.one(queries.LOCK, project_id=project_id, viewer=user_id)
    else:
        standing = await ruling(tx, project_id, user_id)
    if standing.inbox_of is not None:
        raise InboxFixed
    await _require_other_owner(tx, project_id, member_id)
    if await tx.execute(queries.DELETE_MEMBER, project_id=project_id, user_id=member_id) == 0:
        raise RowNotFound
    if standing.visibility == "private":
        await tx.execute(tasks.UNASSIGN, project_id=project_id, user_id=member_id)
        await reminders.call_off_member(tx, project_id, member_id)
    await _tell_of_member(tx, events.MEMBER_REMOVED, project_id, member_id, user_id)


async def _require_other_owner(tx: Work, project_id: UUID, member_id: UUID) -> None:
    other = await tx.find(queries.OTHER_OWNER, project_id=project_id, user_id=member_id)
    if other is None:
        raise LastProjectOwner


async def _tell_of_member(
    tx: Work,
    kind: EventType[events.MemberEvent],
    project_id: UUID,
    member_id: UUID,
    actor: UUID,
) -> None:
    data = events.MemberEvent(project_id, member_id)
    subject, where = f"projects/{project_id}", (channel(project_id),)
    await emit(tx, kind, data, subject=subject, actor=actor, channels=where)
