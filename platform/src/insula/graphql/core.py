"""What the core brings to the schema."""

from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from insula.access import PUBLIC, SIGNED_IN
from insula.db import Statement
from insula.files import queries as file_queries
from insula.files import schemas as file_schemas
from insula.graphql.connection import connection
from insula.graphql.context import Context, Info
from insula.graphql.fields import field
from insula.graphql.ids import read_global_id
from insula.graphql.structs import Node, node, of_struct
from insula.graphql.types import Graph
from insula.identity import queries, schemas
from insula.identity.routes import USERS
from insula.identity.tables import UserRow
from insula.jobs import queries as job_queries
from insula.jobs import schemas as job_schemas
from insula.jobs.visible import READ as JOBS_READ
from insula.search import schemas as search_schemas

_USERS_BY_ID = Statement(
    select(*queries.USER_COLUMNS).where(
        UserRow.id == func.any(bindparam("ids", type_=ARRAY(Uuid)))
    ),
    schemas.User,
)


async def load_users(context: Context, ids: list[UUID]) -> list[schemas.User]:
    """For resolvers of authors and the like: ``info.context.load(load_users, author_id)``."""
    return await context.tx.many(_USERS_BY_ID, ids=ids)


@node(schemas.User, load=load_users, right="users:read")
class User:
    """Somebody of the tenant."""


async def _load_files(context: Context, ids: list[UUID]) -> list[file_schemas.File]:
    return await context.tx.many(file_queries.GET_MANY, ids=ids)


async def _uploader(root: strawberry.Parent[file_schemas.File], info: Info) -> User | None:
    """Who has uploaded it."""
    if root.created_by is None:
        return None
    return await info.context.load(load_users, root.created_by)  # type: ignore[no-any-return]


@node(file_schemas.File, load=_load_files, right="files:read")
class File:
    """A file; its bytes are read at `/api/v1/files/{uuid}/content`."""

    uploader: User | None = field(right="users:read")(_uploader)


async def _load_jobs(context: Context, ids: list[UUID]) -> list[job_schemas.Job]:
    return await context.tx.many(job_queries.GET_MANY, ids=ids)


@node(job_schemas.Job, load=_load_jobs, right=JOBS_READ, line=job_schemas.JobLine)
class Job:
    """Work in the background."""


@strawberry.type(description="A tenant, as its users know it.")
class TenantInfo:
    slug: str
    name: str
    modules: list[str]


@strawberry.type(description="Who is signed in, to which tenant, and what they may do.")
class Me:
    user: User
    tenant: TenantInfo
    scopes: list[str]


@strawberry.type(description="Something that a tenant can switch on.")
class ModuleInfo:
    name: str
    title: str
    summary: str
    enabled: bool


@of_struct(search_schemas.Hit)
class SearchHit:
    """Something that was found."""


@strawberry.type(description="How much was found of a kind.")
class KindCount:
    kind: str
    count: int


@strawberry.type(description="Some of what was found, the best first.")
class SearchResult:
    items: list[SearchHit]
    next: str | None
    kinds: list[KindCount]
    match: str


@strawberry.type
class Query:
    users = connection(USERS, User, right="users:read", description="The users of the tenant.")

    files = connection(
        file_queries.LIST,
        File,
        right="files:read",
        description="The files, the latest first. What is attached to something is not here.",
    )
    jobs = connection(
        job_queries.LIST, Job, right=JOBS_READ, description="Jobs of the tenant, the newest first."
    )

    @field(right=SIGNED_IN)
    async def me(self, info: Info) -> Me:
        """Who is signed in, to which tenant, and what they may do."""
        context = info.context
        user = await context.load(load_users, context.caller.user_id)
        tenant = context.tenant
        about = TenantInfo(slug=tenant.slug, name=tenant.name, modules=sorted(tenant.modules))
        return Me(user=user, tenant=about, scopes=sorted(context.caller.scopes))

    @field(right="modules:read")
    async def modules(self, info: Info) -> list[ModuleInfo]:
        """What there is to switch on, and what is."""
        modules: dict[str, Any] = info.context.services["modules"]
        return [
            ModuleInfo(
                name=each.name,
                title=each.title,
                summary=each.summary,
                enabled=each.name in info.context.tenant.modules,
            )
            for each in modules.values()
        ]

    @field(right=PUBLIC)
    async def search(
        self,
        info: Info,
        q: str,
        kinds: list[str] | None = None,
        first: int = 20,
        after: str | None = None,
    ) -> SearchResult:
        """Everything that you may see, over all modules; the best match comes first."""
        context = info.context
        found = await context.services["search_box"].search(
            context.tx, context.tenant, context.visitor, q,
            kinds=(kinds or [])[:50], limit=max(1, min(first, 100)), cursor=after,
        )  # fmt: skip
        kinds_found = [KindCount(kind=kind, count=count) for kind, count in found.kinds.items()]
        return SearchResult(
            items=found.items, next=found.next, kinds=kinds_found, match=found.match
        )

    @field(right=PUBLIC)
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        """Whatever has this global id; null if nothing has, or nothing that you may see."""
        found: Node | None = await _node(info, id)
        return found

    @field(right=PUBLIC)
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Those of the first hundred ids, null for what there is not."""
        return [await _node(info, each) for each in ids[:100]]


async def _node(info: Info, text: str) -> Any:
    kind, key = read_global_id(text)
    module, spec = info.context.services["graph"].nodes.get(kind, (None, None))
    if spec is None:
        return None
    info.context.require(spec.right, module)
    return await info.context.load(spec.load, key)


GRAPH = Graph(query=Query, nodes=(User, File, Job))
