"""GraphQL beside REST: the same data, rights and rules."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from fixtures.files import upload
from fixtures.graph import ask, data_of, problem_of
from fixtures.inside import inside
from fixtures.installation import Installation, SignUp, TestTenant, User
from graphql import GraphQLError
from insula.access import CORE_SCOPES, Rights
from insula.db import Work
from insula.graphql.context import Context, SharedWork
from insula.graphql.errors import formatted
from insula.graphql.service import GraphService
from insula.http.exchange import Caller, Exchange


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def _http(who: Any) -> httpx.Client:
    client: httpx.Client = who.http if isinstance(who, TestTenant | User) else who
    return client


def _ask(who: Any, query: str, **variables: Any) -> dict[str, Any]:
    return ask(_http(who), query, **variables)


def _data(who: Any, query: str, **variables: Any) -> Any:
    return data_of(_http(who), query, **variables)


def _problem(who: Any, query: str, **variables: Any) -> str:
    return problem_of(_http(who), query, **variables)


def test_files_and_jobs_are_read_as_over_rest(tenant: TestTenant) -> None:
    file = upload(tenant, b"plan", "plan.txt")
    asked = "{files {nodes {id uuid name size metadata uploader {email}}}}"
    [found] = _data(tenant, asked)["files"]["nodes"]
    shown = {name: found[name] for name in ("uuid", "name", "size", "metadata", "uploader")}
    uploader = {"email": tenant.owner.email}
    assert shown == {
        "uuid": file["id"], "name": "plan.txt", "size": 4, "metadata": {}, "uploader": uploader,
    }  # fmt: skip
    again = "query ($id: ID!) {node(id: $id) {... on File {name}}}"
    assert _data(tenant, again, id=found["id"]) == {"node": {"name": "plan.txt"}}
    tenant.http.delete(f"/api/v1/files/{file['id']}")  # which has it purged, some day
    assert _data(tenant, asked)["files"]["nodes"] == []
    assert _data(tenant, again, id=found["id"]) == {"node": None}
    waiting = '{jobs(filter: {field: "status", value: "queued"}) {nodes {id name result}}}'
    jobs = _data(tenant, waiting)["jobs"]["nodes"]
    listed = tenant.http.get("/api/v1/jobs?status=queued").json()["items"]
    assert [line["name"] for line in listed] == [job["name"] for job in jobs]
    assert "files.purge" in {job["name"] for job in jobs}
    assert {job["result"] for job in jobs} == {None}
    member, customer = tenant.add_user(), tenant.add_user("customer")
    assert _problem(member, "{jobs {nodes {name}}}") == "forbidden"
    one = "query ($id: ID!) {node(id: $id) {id}}"
    assert _problem(member, one, id=jobs[0]["id"]) == "forbidden"
    assert _problem(customer, "{files {nodes {name}}}") == "forbidden"


CREATE = "mutation ($note: NoteCreateInput!) {createNote(note: $note) {id uuid revision title}}"


def _create(who: Any, title: str, body: str = "") -> dict[str, Any]:
    return dict(_data(who, CREATE, note={"title": title, "body": body})["createNote"])


# The core


def test_one_request_tells_who_is_signed_in_and_what_there_is(tenant: TestTenant) -> None:
    asked = "{me {user {email role} tenant {slug modules} scopes} modules {name enabled}}"
    data = _data(tenant, asked)
    assert data["me"]["user"] == {"email": tenant.owner.email, "role": "owner"}
    assert data["me"]["tenant"] == {"slug": tenant.slug, "modules": ["notes"]}
    assert {"name": "notes", "enabled": True} in data["modules"]
    assert "notes:read" in data["me"]["scopes"]


def test_search_is_the_same_box(tenant: TestTenant) -> None:
    _create(tenant, "Roof garden")
    asked = '{search(q: "gardn") {items {kind markedTitle url} kinds {kind count} match}}'
    found = _data(tenant, asked)["search"]
    assert found["match"] == "similar"
    assert found["items"][0]["markedTitle"] == "Roof <mark>garden</mark>"
    assert found["kinds"] == [{"kind": "notes.note", "count": 1}]


# A module


def test_a_note_is_made_read_changed_and_deleted(tenant: TestTenant) -> None:
    made = _create(tenant, "One", "# Hello")
    read = _data(
        tenant, "query ($id: ID!) {note(id: $id) {title html author {role}}}", id=made["id"]
    )
    assert read["note"] == {
        "title": "One",
        "html": '<h1 id="h-hello">Hello</h1>\n',
        "author": {"role": "owner"},
    }
    change = (
        "mutation ($id: ID!, $revision: Int) "
        '{updateNote(id: $id, changes: {title: "Two"}, revision: $revision) {title revision}}'
    )
    changed = _data(tenant, change, id=made["id"], revision=1)["updateNote"]
    assert changed == {"title": "Two", "revision": 2}
    assert _problem(tenant, change, id=made["id"], revision=1) == "precondition-failed"
    delete = "mutation ($id: ID!) {deleteNote(id: $id)}"
    assert _data(tenant, delete, id=made["id"]) == {"deleteNote": made["id"]}
    assert _problem(tenant, delete, id=made["id"]) == "not-found"
    assert tenant.http.get("/api/v1/notes").json()["items"] == []


def test_input_is_held_against_the_same_bounds(tenant: TestTenant) -> None:
    answer = _ask(tenant, CREATE, note={"title": ""})
    said = answer["errors"][0]["extensions"]
    assert (said["type"], said["status"]) == ("/docs/problems/invalid-input", 400)
    assert said["errors"][0]["pointer"] == "/title"
    assert answer["data"] is None


def test_a_mutation_happens_wholly_or_not_at_all(tenant: TestTenant) -> None:
    two = 'mutation {a: createNote(note: {title: "A"}) {id} b: createNote(note: {title: ""}) {id}}'
    assert _ask(tenant, two)["data"] is None
    assert tenant.http.get("/api/v1/notes").json()["items"] == []
    customer = tenant.add_user("member")
    nested = 'mutation {createNote(note: {title: "A"}) {author {email}}}'
    assert _data(customer, nested)["createNote"]["author"]["email"] == customer.email


def test_a_node_is_found_by_its_id(tenant: TestTenant, sign_up: SignUp) -> None:
    made = _create(tenant, "One")
    me = _data(tenant, "{me {user {id}}}")["me"]["user"]["id"]
    asked = "query ($ids: [ID!]!) {nodes(ids: $ids) {__typename id ... on Note {title}}}"
    nodes = _data(tenant, asked, ids=[made["id"], me])["nodes"]
    assert nodes[0] == {"__typename": "Note", "id": made["id"], "title": "One"}
    assert nodes[1] == {"__typename": "User", "id": me}
    one = "query ($id: ID!) {node(id: $id) {id}}"
    assert _data(sign_up("notes"), one, id=made["id"]) == {"node": None}
    assert _problem(tenant, one, id="nonsense") == "invalid-input"
    assert _problem(tenant.add_user("customer"), one, id=made["id"]) == "forbidden"


# Connections

PAGE = """query ($first: Int, $after: String, $last: Int, $before: String) {
  notes(first: $first, after: $after, last: $last, before: $before, sort: "title") {
    nodes {title} edges {cursor}
    pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
  }
}"""


def _page(tenant: TestTenant, **arguments: Any) -> tuple[str, dict[str, Any]]:
    page = _data(tenant, PAGE, **arguments)["notes"]
    assert [edge["cursor"] for edge in page["edges"]][-1] == page["pageInfo"]["endCursor"]
    return "".join(node["title"] for node in page["nodes"]), page["pageInfo"]


def test_connections_page_in_both_directions(tenant: TestTenant) -> None:
    for title in "edcba":
        _create(tenant, title)
    titles, info = _page(tenant, first=2)
    assert (titles, info["hasNextPage"], info["hasPreviousPage"]) == ("ab", True, False)
    titles, info = _page(tenant, first=2, after=info["endCursor"])
    assert (titles, info["hasNextPage"], info["hasPreviousPage"]) == ("cd", True, True)
    titles, info = _page(tenant, last=2, before=info["startCursor"])
    assert (titles, info["hasPreviousPage"]) == ("ab", False)
    titles, info = _page(tenant, last=2)
    assert (titles, info["hasNextPage"], info["hasPreviousPage"]) == ("de", False, True)
    titles, info = _page(tenant, last=9, before=info["startCursor"])
    assert (titles, info["hasPreviousPage"]) == ("abc", False)


def test_connections_filter_and_search(tenant: TestTenant) -> None:
    for title in ("alpha", "beta", "gamma"):
        _create(tenant, title, "Words")
    asked = "query ($f: [Filter!], $q: String) {notes(filter: $f, q: $q) {nodes {title body}}}"
    found = _data(tenant, asked, f=[{"field": "title", "is": "gt", "value": "b"}], q="gam")
    assert found["notes"]["nodes"] == [{"title": "gamma", "body": "Words"}]
    for wrong in ([{"field": "nope", "value": "x"}], [{"field": "title", "is": "~", "value": "x"}]):
        assert _problem(tenant, asked, f=wrong) == "invalid-input"
    for arguments in ("first: 0", "first: 101", 'after: "x"', "first: 1, last: 1", 'sort: "body"'):
        assert _problem(tenant, f"{{notes({arguments}) {{nodes {{id}}}}}}") == "invalid-input"


class Counted(SharedWork):
    """Counts the statements that it runs."""

    def __init__(self, work: Work) -> None:
        super().__init__(work, 1)
        self.count = 0

    async def find(self, *args: Any, **params: Any) -> Any:
        self.count += 1
        return await super().find(*args, **params)

    async def many(self, *args: Any, **params: Any) -> Any:
        self.count += 1
        return await super().many(*args, **params)


async def _count_statements(installation: Installation, tenant: TestTenant, query: str) -> int:
    """How many statements a query takes, run here by its owner."""
    async with inside(installation) as platform:
        found = await platform.tenant(tenant)
        modules = platform.foundation.modules
        rights = Rights(CORE_SCOPES + tuple(s for m in modules.values() for s in m.scopes))
        service = GraphService(modules, platform.foundation.services, rights)
        scope: Any = {"method": "POST", "path": "/graphql", "headers": []}
        exchange = Exchange(scope)
        exchange.tenant = found
        exchange.caller = Caller(UUID(int=0), UUID(int=0), "owner", rights.of("owner"))
        work = Counted(platform.tenants.work(found.bucket, found.prelude, writes=False))
        context = Context(work, exchange, {}, writes=False)
        document = service.schema.prepare(query).document
        assert document is not None
        result = await service.schema.run(document, context, {}, None)
        assert result.errors is None
        return work.count


async def test_many_things_take_as_few_statements_as_one(
    installation: Installation, sign_up: SignUp
) -> None:
    tenant = await asyncio.to_thread(sign_up, "notes")
    query = "{notes {nodes {body html author {name}}} users {nodes {name}}}"
    await asyncio.to_thread(_create, tenant, "First")
    one = await _count_statements(installation, tenant, query)
    for number in range(8):
        member = await asyncio.to_thread(tenant.add_user)
        await asyncio.to_thread(_create, member, f"Note {number}")
    assert await _count_statements(installation, tenant, query) == one == 4


# Rights


def test_fields_need_the_rights_that_routes_need(tenant: TestTenant) -> None:
    _create(tenant, "One")
    notes = "{notes {nodes {title}}}"
    assert _problem(tenant.anonymous(), notes) == "unauthenticated"
    customer = tenant.add_user("customer")
    assert _problem(customer, notes) == "forbidden"
    assert _problem(customer, CREATE, note={"title": "x"}) == "forbidden"
    answer = _ask(customer, "{me {user {role}} notes {nodes {title}}}")
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["notes"]


def test_a_module_that_is_off_cannot_be_asked(sign_up: SignUp) -> None:
    tenant = sign_up()
    assert _problem(tenant, "{notes {nodes {title}}}") == "module-disabled"
    assert _problem(tenant, CREATE, note={"title": "x"}) == "module-disabled"
    assert _data(tenant, "{me {tenant {modules}}}")["me"]["tenant"]["modules"] == []


def test_tenants_see_their_own(sign_up: SignUp) -> None:
    ours, theirs = sign_up("notes"), sign_up("notes")
    made = _create(theirs, "Secret")
    assert _data(ours, "{notes {nodes {title}}}")["notes"]["nodes"] == []
    for key in (made["id"], made["uuid"]):
        assert _data(ours, "query ($id: ID!) {note(id: $id) {title}}", id=key) == {"note": None}
        change = 'mutation ($id: ID!) {updateNote(id: $id, changes: {title: "x"}) {id}}'
        assert _problem(ours, change, id=key) == "not-found"


@pytest.mark.parametrize(
    ("path", "cause"),
    [(["notes"], ValueError("the secret")), (["notes"], None), (None, ValueError("the secret"))],
)
def test_what_nobody_foresaw_is_told_to_nobody(path: Any, cause: Exception | None) -> None:
    error = GraphQLError("the secret", path=path, original_error=cause)
    exchange = Exchange({"type": "http", "path": "/graphql", "headers": []})
    said = formatted(error, exchange)
    assert said["message"] == "Something went wrong on our side"
    assert said["extensions"]["code"] == "INTERNAL"
    assert "secret" not in str(said)


# Limits

INTROSPECTION = """
query IntrospectionQuery { __schema { queryType { name } mutationType { name }
  subscriptionType { name } types { ...FullType }
  directives { name description locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description
  fields(includeDeprecated: true) { name description args { ...InputValue }
    type { ...TypeRef } isDeprecated deprecationReason }
  inputFields { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }
"""


def test_the_schema_tells_about_itself(tenant: TestTenant) -> None:
    types = _data(tenant, INTROSPECTION)["__schema"]["types"]
    assert {"Note", "NoteConnection", "User", "NoteCreateInput"} <= {each["name"] for each in types}


AUTHORS = "{notes(first: 100) {nodes {author {name}}}}"
HOSTILE = {
    "deep": "{me" + "{user" * 40 + "{id" + "}" * 42,
    "very deep": "{" + "a{" * 3000 + "a" + "}" * 3001,
    "aliases": "{" + " ".join(f"a{n}: me {{scopes}}" for n in range(900)) + "}",
    "same field": "{" + "me {scopes} " * 60 + "}",
    "pages in pages": "{" + " ".join(f"a{n}: {AUTHORS[1:-1]}" for n in range(30)) + "}",
    "fragments": "{...f0} "
    + " ".join(f"fragment f{n} on Query {{...f{n + 1} ...f{n + 1}}}" for n in range(60))
    + " fragment f60 on Query {__typename}",
    "introspection": "{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}",
    "tokens": "{" + "a " * 5000 + "}",
    "too long": "#" + "x" * 150_000 + "\n{__typename}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_asks_too_much_is_refused_before_it_is_run(tenant: TestTenant, name: str) -> None:
    answer = _ask(tenant, HOSTILE[name])
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["type"].rpartition("/")[2] in (
        "graphql-too-complex",
        "graphql-invalid",
    )


def test_fragments_that_multiply_are_counted(tenant: TestTenant) -> None:
    bomb = "{...f0} " + " ".join(
        f"fragment f{n} on Query {{a{n}: me {{scopes}} ...f{n + 1} ...f{n + 1}}}" for n in range(40)
    )
    answer = _ask(tenant, bomb + " fragment f40 on Query {__typename}")
    assert answer["errors"][0]["extensions"]["type"].endswith("/graphql-too-complex")


def test_fragments_in_a_circle_are_invalid(tenant: TestTenant) -> None:
    circle = "{...a} fragment a on Query {...b} fragment b on Query {...a}"
    assert _problem(tenant, circle) == "graphql-invalid"


def test_a_variable_cannot_hide_a_large_page(tenant: TestTenant) -> None:
    pages = " ".join(f"a{n}: notes(first: $n) {{nodes {{author {{name}}}}}}" for n in range(20))
    query = f"query ($n: Int) {{{pages}}}"
    assert _problem(tenant, query, n=100) == "graphql-too-complex"
    assert len(_data(tenant, query, n=2)) == 20


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{nope}",
        "query A {me {scopes}} query B {me {scopes}}",
        "{me}",
        "fragment a on Query {me {scopes}}",
        "subscription {x}",
        "\u0001",
        "type A {b: Int}",
    ],
)
def test_an_invalid_document_says_where(tenant: TestTenant, query: str) -> None:
    answer = _ask(tenant, query)
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["type"] == "/docs/problems/graphql-invalid"
