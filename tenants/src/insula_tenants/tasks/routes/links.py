"""Addresses for Todo-Backend clients, which send no token."""

from uuid import UUID

from insula.db import Work
from insula.http.exchange import Caller, Exchange
from insula.settings import Settings
from insula.tenancy.tenant import Tenant
from litestar import delete, get, post

from insula_tenants.tasks.errors import ProjectReadOnly
from insula_tenants.tasks.permissions import LINK
from insula_tenants.tasks.queries import around as queries
from insula_tenants.tasks.schemas.around import Link, LinkCreate, LinkLine
from insula_tenants.tasks.service import links as service


@post("/links", right=LINK, problems=(ProjectReadOnly,))
async def issue_link(
    data: LinkCreate,
    tx: Work,
    caller: Caller,
    tenant: Tenant,
    exchange: Exchange,
    settings: Settings,
) -> Link:
    """An address at which any Todo-Backend client works on a project, without an account. Whoever
    has it may do everything there in the caller's name; it is shown this once."""
    link_id, project_id, token = await service.issue(tx, data.project_id, caller.user_id)
    scheme = exchange.scope.get("scheme", "http")
    port = exchange.header(b"host").partition(":")[2]
    host = f"{tenant.slug}.{settings.base_domain}" + (f":{port}" if port.isdigit() else "")
    return Link(link_id, project_id, f"{scheme}://{host}/compat/todo-backend/{token}")


@get("/links", right=LINK)
async def list_links(tx: Work, caller: Caller) -> list[LinkLine]:
    """The links to projects that the caller sees."""
    return await tx.many(queries.LINKS, viewer=caller.user_id)


@delete("/links/{link_id:uuid}", right=LINK)
async def withdraw_link(link_id: UUID, tx: Work, caller: Caller) -> None:
    """The address stops working at once."""
    await service.withdraw(tx, link_id, caller.user_id)


ROUTES = (issue_link, list_links, withdraw_link)
