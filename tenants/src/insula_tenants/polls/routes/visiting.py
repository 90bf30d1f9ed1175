"""Who comes to a public route: by bearer token, voting token or cookie, as the poll asks."""

from typing import Annotated, Any, Final

from insula.http.exchange import Caller
from insula.http.problem import Forbidden, Unauthenticated
from insula.settings import Settings
from litestar import Request
from litestar.params import HeaderParameter

from insula_tenants.polls.errors import VotingTokenRefused
from insula_tenants.polls.service.voters import COOKIE, COOKIE_SECONDS, Visitor

VotingToken = Annotated[
    str | None,
    HeaderParameter(
        name="Voting-Token",
        required=False,
        max_length=100,
        description="Of a poll whose `voters` are `token`.",
    ),
]
REFUSALS: Final = (Unauthenticated, Forbidden, VotingTokenRefused)


def visitor_of(
    request: Request[Any, Any, Any], caller: Caller | None, token: str | None, settings: Settings
) -> Visitor:
    return Visitor(settings.secret_key, caller, token, request.cookies.get(COOKIE))


def set_cookie(request: Request[Any, Any, Any], value: str) -> dict[str, str]:
    """The header that gives a browser its identity. Over TLS it also works where the page is
    embedded in another site, and is another one in every site (``Partitioned``)."""
    embeddable = "SameSite=None; Secure; Partitioned"
    site = embeddable if request.scope["scheme"] == "https" else "SameSite=Lax"
    about = f"Max-Age={COOKIE_SECONDS}; Path=/api/v1/polls; HttpOnly; {site}"
    return {"set-cookie": f"{COOKIE}={value}; {about}"}
