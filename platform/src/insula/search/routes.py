"""``/api/v1/search``."""

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, Router, get
from litestar.params import QueryParameter

from insula.access import PUBLIC
from insula.db import Work
from insula.http.exchange import Caller, Exchange
from insula.http.list_query import DEFAULT_LIMIT, MAX_LIMIT
from insula.search.box import SearchBox
from insula.search.schemas import SearchPage
from insula.tenancy.tenant import Tenant

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many items at most.")]
Kinds = Annotated[
    list[str] | None,
    QueryParameter(
        name="kind", max_items=50, description="Only these kinds, or all kinds of a module."
    ),
]
Typed = Annotated[
    str,
    QueryParameter(
        name="q",
        description='Words, `"a phrase"`, `or`, `-without`; the last word may be unfinished. '
        "Of very much, the beginning counts.",
    ),
]


@get("/search", right=PUBLIC)
async def search(
    request: Request[Any, Any, Any],
    tx: Work,
    tenant: Tenant,
    caller: Caller,
    exchange: Exchange,
    search_box: SearchBox,
    typed: Typed = "",
    kinds: Kinds = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: str | None = None,
) -> SearchPage:
    """Search everything that you may see, over all modules; the best match comes first.

    Typing errors are mended where nothing matches as typed. Without a token, only what is public is
    found."""
    found = await search_box.search(
        tx, tenant, caller, typed, kinds=kinds or (), limit=limit, cursor=cursor
    )
    if found.next:
        query = [*(("kind", kind) for kind in kinds or ()), ("limit", limit)]
        link = urlencode([("q", typed), *query, ("cursor", found.next)])
        exchange.extra.append((b"link", f'<{exchange.path}?{link}>; rel="next"'.encode("latin-1")))
    return found


ROUTER = Router(path="/api/v1", route_handlers=[search], tags=["Search"])
