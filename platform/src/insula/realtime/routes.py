"""``/api/v1/realtime``."""

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter
from msgspec import Meta, Struct

from insula.access import PUBLIC, SIGNED_IN
from insula.http.exchange import Exchange
from insula.http.problem import Unauthenticated
from insula.identity.tickets import SECONDS, TicketRejected, Tickets
from insula.realtime.errors import NoSuchChannel, TooManyConnections
from insula.realtime.events import EventStream
from insula.realtime.service import Live
from insula.realtime.wire import id_of, split_id
from insula.tenancy.tenant import Tenant


class Ticket(Struct, frozen=True):
    """Opens one connection, as ``?ticket=…``."""

    ticket: Annotated[str, Meta(max_length=100)]
    expires_in: Annotated[int, Meta(examples=[SECONDS])]
    """Seconds."""


@post("/tickets", right=SIGNED_IN)
async def create_ticket(exchange: Exchange, tickets: Tickets) -> Ticket:
    """A ticket for one WebSocket or EventSource within 30 seconds, for browsers, which can send no
    ``Authorization`` with them; a token does not belong into a URL."""
    if exchange.claims is None:
        raise Unauthenticated("Only an access token can be exchanged for a ticket.")
    return Ticket(await tickets.issue(exchange.claims), SECONDS)


Names = Annotated[
    list[Annotated[str, Meta(max_length=300)]],
    QueryParameter(
        name="channel", description="A channel; may be repeated.", min_items=1, max_items=20
    ),
]
Position = Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=1000)]
After = Annotated[
    str | None,
    QueryParameter(max_length=1000, description="As `Last-Event-ID`, where no header can be sent."),
]
TicketParameter = Annotated[
    str | None,
    QueryParameter(max_length=100, description="From `POST /api/v1/realtime/tickets`."),
]


@get(
    "/sse",
    right=PUBLIC,
    ticketed=True,
    problems=(NoSuchChannel, TooManyConnections, TicketRejected),
    media_type="text/event-stream",
    responses={200: ResponseSpec(str, media_type="text/event-stream", generate_examples=False)},
)
async def follow_channels(
    exchange: Exchange,
    tenant: Tenant,
    live: Live,
    names: Names,
    last_event_id: Position = None,
    after: After = None,
    ticket: TicketParameter = None,
) -> Response[str]:
    """Live channels as server-sent events: first a `snapshot` of each channel (or `resumed`, after
    a `Last-Event-ID`), then each message as it happens."""
    places = [live.channels.find(name) for name in dict.fromkeys(names)]
    for place in places:
        await live.authorize(exchange, place)
    said = last_event_id or after
    positions: list[str | None] = [None] * len(places)
    if said:
        keys = split_id(said, len(places))
        positions = ["" if key is None else id_of(key) for key in keys]
    return EventStream(live, exchange, places, positions)  # type: ignore[return-value]


ROUTER = Router(
    path="/api/v1/realtime", route_handlers=[create_ticket, follow_channels], tags=["Realtime"]
)
