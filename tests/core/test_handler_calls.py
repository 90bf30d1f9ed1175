"""How handlers get called: what they name is handed over, and the short way changes nothing."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from insula.http.direct import Direct
from insula.http.exchange import KEY, Exchange
from insula.http.reply import Reply
from insula.http.supplies import supply
from litestar import Litestar, Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send

# Arguments in the style that our handlers use, which Litestar 3 will not take.
pytestmark = pytest.mark.filterwarnings(
    "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
)

SERVICES = {"clock": "a clock", "redis": "a line"}
KEYED = "/things/019a1fc4-277f-7e76-8e01-3f0530f03882"


class Thing(msgspec.Struct):
    name: str
    said: str = ""


def exchange_given(app: ASGIApp) -> ASGIApp:
    """What the gate does, as far as handlers see it."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            exchange = Exchange(scope)
            exchange.work = "a transaction"  # type: ignore[assignment]
            scope[KEY] = exchange  # type: ignore[literal-required]
        await app(scope, receive, send)

    return gate


def client_of(*handlers: Any, **options: Any) -> TestClient[Any]:
    router = supply(Router("/", route_handlers=handlers), frozenset(SERVICES))
    app = Litestar(
        [supply(router, frozenset(SERVICES))],  # twice: an application may be built twice
        middleware=[exchange_given, Direct],
        state=State(SERVICES, deep_copy=False),
        response_class=Reply,
        openapi_config=None,
        **options,
    )
    return TestClient(app)


def test_handler_gets_supplies_by_name_beside_its_own_arguments() -> None:
    @get("/things/{key:uuid}")
    async def read(key: UUID, tx: Any, clock: Any) -> Thing:
        return Thing(str(key), f"{tx}, {clock}")

    with client_of(read) as client:
        answer = client.get(KEYED)
    assert answer.json() == {"name": KEYED[8:], "said": "a transaction, a clock"}


def test_supplies_reach_a_handler_that_reads_a_body() -> None:
    @post("/things")
    async def write(data: Thing, redis: Any, exchange: Any) -> Thing:
        return Thing(data.name, f"{redis}, {exchange.method}")

    with client_of(write) as client:
        answer = client.post("/things", json={"name": "a"})
        refused = client.post("/things", json={"name": 1})
    assert (answer.status_code, answer.json()) == (201, {"name": "a", "said": "a line, POST"})
    assert refused.status_code == 400


def test_direct_handler_gets_request_and_status() -> None:
    @get("/things", status_code=202)
    async def list_things(request: Request[Any, Any, Any], tx: Any) -> Thing:
        return Thing(request.url.path, tx)

    with client_of(list_things) as client:
        answer = client.get("/things")
    assert (answer.status_code, answer.json()["name"]) == (202, "/things")


def test_malformed_path_parameter_is_not_found_on_the_short_way_too() -> None:
    @get("/things/{key:uuid}")
    async def read(key: UUID) -> Thing:
        return Thing(str(key))

    with client_of(read) as client:
        assert client.get("/things/nonsense").status_code == 404


def test_query_parameter_is_still_read_and_checked() -> None:
    @get("/things")
    async def read(tx: Any, size: int = 3) -> Thing:
        return Thing(f"{size * 2}", tx)

    with client_of(read) as client:
        assert client.get("/things?size=4").json()["name"] == "8"
        assert client.get("/things?size=four").status_code == 400


def test_annotation_that_differs_from_the_path_is_converted() -> None:
    @get("/things/{key:str}")
    async def read(key: UUID) -> Thing:
        return Thing(type(key).__name__)

    with client_of(read) as client:
        assert client.get(KEYED).json()["name"] == "UUID"


def test_hooks_of_a_route_run() -> None:
    ran: list[str] = []

    def inner(app: ASGIApp) -> ASGIApp:
        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            ran.append("middleware")
            await app(scope, receive, send)

        return noting

    async def before(_: Request[Any, Any, Any]) -> None:
        ran.append("before")

    async def after(_: Request[Any, Any, Any]) -> None:
        ran.append("after")

    @get("/a", middleware=[inner])
    async def a(tx: Any) -> Thing:
        return Thing("a", tx)

    @get("/b", before_request=before)
    async def b(tx: Any) -> Thing:
        return Thing("b", tx)

    @get("/c", after_response=after)
    async def c(tx: Any) -> Thing:
        return Thing("c", tx)

    with client_of(a, b, c) as client:
        assert [client.get(path).status_code for path in ("/a", "/b", "/c")] == [200] * 3
    assert ran == ["middleware", "before", "after"]


def test_error_of_a_direct_handler_reaches_the_exception_handler() -> None:
    @get("/things")
    async def read(tx: Any) -> Thing:
        raise LookupError(tx)

    def answer(_: Any, error: Exception) -> Response[Any]:
        return Response({"error": str(error)}, status_code=418)

    with client_of(read, exception_handlers={LookupError: answer}) as client:
        refused = client.get("/things")
    assert (refused.status_code, refused.json()) == (418, {"error": "a transaction"})


@pytest.mark.parametrize(
    ("content", "media_type", "body"),
    [
        ({"a": "ä"}, None, '{"a":"ä"}'.encode()),
        ([1, 2], "application/json", b"[1,2]"),
        ("<p>ä</p>", "text/html", "<p>ä</p>".encode()),
        (b"\x00\xff", "application/octet-stream", b"\x00\xff"),
        (b'{"raw":1}', None, b'{"raw":1}'),
    ],
)
def test_reply_says_what_a_response_would(content: Any, media_type: Any, body: bytes) -> None:
    def answer(kind: type[Response[Any]]) -> Response[Any]:
        return kind(content, media_type=media_type, headers={"ETag": '"1"'}, status_code=203)

    @get("/reply")
    async def reply() -> Response[Any]:
        return answer(Reply)

    @get("/response")
    async def response() -> Response[Any]:
        return answer(Response)

    with client_of(reply, response) as client:
        ours, litestars = client.get("/reply"), client.get("/response")
    assert ours.content == body == litestars.content
    assert ours.status_code == litestars.status_code == 203
    assert dict(ours.headers) == dict(litestars.headers)


def test_reply_without_content_and_with_a_cookie_goes_the_long_way() -> None:
    @get("/nothing", status_code=204)
    async def nothing() -> None:
        return None

    @get("/cookie")
    async def cookie() -> Response[Thing]:
        answer = Reply(Thing("a"))
        answer.set_cookie("seen", "yes")
        return answer

    with client_of(nothing, cookie) as client:
        assert (client.get("/nothing").status_code, client.get("/nothing").content) == (204, b"")
        assert client.get("/cookie").cookies["seen"] == "yes"


def test_reply_uses_litestars_encoders_for_what_msgspec_does_not_know() -> None:
    class Celsius:
        degrees = 21

    @get("/warm", type_encoders={Celsius: lambda value: value.degrees})
    async def warm() -> Response[Any]:
        return Reply({"now": Celsius()})

    with client_of(warm) as client:
        assert client.get("/warm").json() == {"now": 21}
