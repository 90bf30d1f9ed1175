"""The page on which people vote and watch, to be opened or embedded."""

from importlib.resources import files
from typing import Any, Final
from uuid import UUID

from insula.access import PUBLIC
from insula.db import RowNotFound, Work
from insula.http.exchange import Caller
from insula.settings import Settings
from litestar import Request, Response, get

from insula_tenants.polls.queries import polls
from insula_tenants.polls.routes.visiting import set_cookie, visitor_of
from insula_tenants.polls.service.voters import new_cookie

_FOLDER = files("insula_tenants.polls") / "page"
_PAGE: Final = (_FOLDER / "poll.html").read_text("utf-8")
_STYLE: Final = (_FOLDER / "poll.css").read_text("utf-8")
# One file for the browser, in the order in which its parts use each other.
_SCRIPT: Final = "\n".join(
    (_FOLDER / name).read_text("utf-8") for name in ("api.js", "chart.js", "live.js", "poll.js")
)
# Anybody may embed the page: what it can do for its visitor is to vote in this one poll.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors *"
)


@get("/{poll_id:uuid}/page", right=PUBLIC, media_type="text/html")
async def show_page(
    poll_id: UUID,
    request: Request[Any, Any, Any],
    tx: Work,
    caller: Caller | None,
    settings: Settings,
) -> Response[str]:
    """A page to vote on and to watch the results, to be opened or embedded. With a voting token,
    add ``#token=…``: what stands after the ``#`` is not sent anywhere."""
    poll = await tx.one(polls.GET, id=poll_id)
    if poll.state == "draft":
        raise RowNotFound
    headers = {"content-security-policy": _POLICY}
    if poll.voters == "cookie":
        cookie = new_cookie(visitor_of(request, caller, None, settings))
        headers |= set_cookie(request, cookie) if cookie else {}
    return Response(_PAGE, media_type="text/html", headers=headers)


@get("/assets/poll.js", right=PUBLIC, media_type="text/javascript", sync_to_thread=False)
def page_script() -> Response[str]:
    """What the page of a poll does."""
    return Response(_SCRIPT, media_type="text/javascript")


@get("/assets/poll.css", right=PUBLIC, media_type="text/css", sync_to_thread=False)
def page_style() -> Response[str]:
    """What the page of a poll looks like."""
    return Response(_STYLE, media_type="text/css")


ROUTES = (show_page, page_script, page_style)
