"""Projects and their members."""

from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from insula.db import Statement, binds
from insula.http.listing import Listing
from insula.identity.tables import UserRow
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Uuid,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from insula_tenants.tasks.schemas.projects import Member as MemberLine
from insula_tenants.tasks.schemas.projects import Project as ProjectLine
from insula_tenants.tasks.tables import Member, Project

COLUMNS = (
    Project.id, Project.title, Project.description, Project.colour, Project.visibility,
    Project.zone, Project.inbox_of, Project.archived_at, Project.version, Project.created_at,
    Project.updated_at,
)  # fmt: skip


class Standing(msgspec.Struct, frozen=True):
    """What somebody is to a project that they see. ``role`` is None for whoever is not a member."""

    project_id: UUID
    title: str
    visibility: str
    zone: str
    inbox_of: UUID | None
    version: int
    role: str | None


def seen() -> ColumnElement[bool]:
    """Whether the user ``viewer`` sees the project of the row."""
    return or_(
        Project.visibility == "tenant",
        exists().where(Member.project_id == Project.id, Member.user_id == bindparam("viewer")),
    )


_standing = (
    select(
        Project.id.label("project_id"),
        Project.title,
        Project.visibility,
        Project.zone,
        Project.inbox_of,
        Project.version,
        Member.role,
    )
    .join(
        Member,
        (Member.project_id == Project.id) & (Member.user_id == bindparam("viewer")),
        isouter=True,
    )
    .where(
        Project.id == bindparam("project_id"),
        or_(Project.visibility == "tenant", Member.role.is_not(None)),
    )
)
STANDING = Statement(_standing, Standing)
# Whoever holds this orders the project's tasks; tasks may still be added meanwhile.
LOCK = Statement(_standing.with_for_update(of=Project, key_share=True), Standing)

LIST = Listing(
    select(*COLUMNS).where(seen()),
    ProjectLine,
    key=Project.id,
    sort={"title": Project.title, "created_at": Project.created_at},
    default="created_at",
    filters={
        "visibility": Project.visibility,
        "title": Project.title,
        "created_at": Project.created_at,
        "archived_at": Project.archived_at,
    },
)
GET = Statement(select(*COLUMNS).where(Project.id == bindparam("id"), seen()), ProjectLine)
GET_MANY = Statement(
    select(*COLUMNS).where(Project.id == func.any(bindparam("ids", type_=ARRAY(Uuid))), seen()),
    ProjectLine,
)
INBOX = Statement(select(*COLUMNS).where(Project.inbox_of == bindparam("user_id")), ProjectLine)
BY_TITLE = Statement(
    select(*COLUMNS)
    .where(
        func.replace(func.lower(Project.title), " ", "_") == func.lower(bindparam("title")),
        seen(),
        Project.archived_at.is_(None),
    )
    .order_by(Project.created_at)
    .limit(1),
    ProjectLine,
)
_values = binds("id", "title", "description", "colour", "visibility", "zone", "inbox_of")
INSERT = Statement(insert(Project).values(**_values).returning(*COLUMNS), ProjectLine)
INSERT_INBOX = Statement(
    upsert(Project).values(**_values).on_conflict_do_nothing(index_elements=["inbox_of"])
)
DELETE = Statement(delete(Project).where(Project.id == bindparam("project_id")))


@cache
def update_columns(names: tuple[str, ...]) -> Statement[ProjectLine]:
    """An update of just these columns; ``archived`` sets or clears the time."""
    values: dict[str, Any] = {name: bindparam(name) for name in names if name != "archived"}
    if "archived" in names:
        flag = bindparam("archived", type_=Boolean())
        since = func.coalesce(Project.archived_at, func.now())
        values["archived_at"] = case((flag, since), else_=None)
    return Statement(
        update(Project)
        .where(Project.id == bindparam("project_id"))
        .values(**values, version=Project.version + 1, updated_at=func.now())
        .returning(*COLUMNS),
        ProjectLine,
    )


# Members

_MEMBER = (Member.user_id, UserRow.name, Member.role, Member.created_at)
_members = select(*_MEMBER).join(UserRow, UserRow.id == Member.user_id)
_OF = (Member.project_id == bindparam("project_id"), Member.user_id == bindparam("user_id"))
LIST_MEMBERS = Statement(
    _members.where(Member.project_id == bindparam("project_id"))
    .order_by(Member.created_at, Member.user_id)
    .limit(1000),
    MemberLine,
)
GET_MEMBER = Statement(_members.where(*_OF), MemberLine)
PUT_MEMBER = Statement(
    upsert(Member)
    .values(**binds("project_id", "user_id", "role"))
    .on_conflict_do_update(
        index_elements=["project_id", "user_id"], set_={"role": bindparam("role")}
    )
)
DELETE_MEMBER = Statement(delete(Member).where(*_OF))
COUNT_MEMBERS = Statement(
    select(func.count()).where(Member.project_id == bindparam("project_id")), int
)
OTHER_OWNER = Statement(
    select(Member.user_id)
    .where(
        Member.project_id == bindparam("project_id"),
        Member.user_id != bindparam("user_id"),
        Member.role == "owner",
    )
    .limit(1),
    UUID,
)
USER = Statement(
    select(UserRow.id).where(UserRow.id == bindparam("user_id"), UserRow.status == "active"), UUID
)
# Of some users, those who see a project: they can be given its tasks.
WHO_SEES = Statement(
    select(UserRow.id).where(
        UserRow.id == func.any(bindparam("user_ids", type_=ARRAY(Uuid()))),
        UserRow.status == "active",
        or_(
            select(Project.visibility == "tenant")
            .where(Project.id == bindparam("project_id"))
            .scalar_subquery(),
            exists().where(
                Member.project_id == bindparam("project_id"), Member.user_id == UserRow.id
            ),
        ),
    ),
    UUID,
)
# Whom a word such as ``anna`` may mean: a name, a first name, the front of an e-mail address.
FIND_USER = Statement(
    select(UserRow.id)
    .where(
        or_(
            func.replace(func.lower(UserRow.name), " ", "_") == func.lower(bindparam("word")),
            func.lower(func.split_part(UserRow.name, " ", 1)) == func.lower(bindparam("word")),
            func.split_part(UserRow.email, "@", 1) == func.lower(bindparam("word")),
        ),
        UserRow.status == "active",
    )
    .limit(2),
    UUID,
)
