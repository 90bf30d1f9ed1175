"""No tenant sees another: each operation of the document, by everybody who may not call it.

The operations come from ``/openapi.json`` and are held against the route table; what identifies a
tenant's things comes from its own answers. A new route is covered without an edit, unless it is
open to everybody: those are listed here, so that opening one is a decision that a review sees.
"""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fixtures.gateway import listens, running, wait_until
from fixtures.installation import Installation, SignUp, TestTenant, free_port, sign_up_at
from fixtures.leaking import LEAKS
from fixtures.operations import Filled, Operation, operations_of
from insula.app import build
from insula.module import Module, discover
from insula.settings import Settings
from litestar.routes import HTTPRoute

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
    ),
    pytest.mark.xdist_group("isolation"),
]

PUBLIC_OPERATIONS = {
    "GET /health/live",
    "GET /health/ready",
    "POST /api/v1/tenants",
    "GET /api/v1/domains/ask",
    "POST /api/v1/sessions",
    "POST /api/v1/sessions/refresh",
    "GET /api/v1/search",  # of what is public
    "GET /graphql",  # each field has a right of its own
    "POST /graphql",
    "GET /api/v1/notes/shared/{token}",
    "GET /api/v1/notes/shared/{token}/attachments/{name}",
    "GET /compat/languagetool/v2/languages",
    # the address is the secret, as it is for a shared note
    "GET /compat/todo-backend/{token}",
    "POST /compat/todo-backend/{token}",
    "DELETE /compat/todo-backend/{token}",
    "GET /compat/todo-backend/{token}/{task_id}",
    "PATCH /compat/todo-backend/{token}/{task_id}",
    "DELETE /compat/todo-backend/{token}/{task_id}",
    "GET /api/v1/realtime/sse",
    "GET /api/v1/files/links/{ticket}",
    "PUT /api/v1/files/links/{ticket}",
    "GET /api/v1/polls/assets/poll.css",
    "GET /api/v1/polls/assets/poll.js",
    "GET /api/v1/polls/{poll_id}/answers",
    "GET /api/v1/polls/{poll_id}/ballot",
    "GET /api/v1/polls/{poll_id}/page",
    "GET /api/v1/polls/{poll_id}/results",
    "POST /api/v1/polls/{poll_id}/votes",
    "DELETE /api/v1/polls/{poll_id}/vote",
    "GET /api/v1/blog/articles",
    "GET /api/v1/blog/articles/{article_id}",
    "GET /api/v1/blog/articles/by-slug/{slug}",
    "GET /api/v1/blog/articles/{article_id}/comments",
    "GET /api/v1/blog/articles/{article_id}/cover",
    "GET /api/v1/blog/articles/{article_id}/favourite",
    "GET /api/v1/blog/articles/{article_id}/metadata",
    "GET /api/v1/blog/authors",
    "GET /api/v1/blog/authors/{username}",
    "GET /api/v1/blog/feed.atom",
    "GET /api/v1/blog/feed.json",
    "GET /api/v1/blog/previews/{preview_token}",
    "GET /api/v1/blog/sitemap.xml",
    "GET /api/v1/blog/tags",
    "GET /compat/realworld/api/articles",
    "GET /compat/realworld/api/articles/{slug}",
    "GET /compat/realworld/api/articles/{slug}/comments",
    "GET /compat/realworld/api/profiles/{username}",
    "GET /compat/realworld/api/tags",
    "POST /compat/realworld/api/users",
    "POST /compat/realworld/api/users/login",
}


CHANGES_BY_ITSELF = ("/deliveries", "/events", "/jobs", "/exports")
"""Parts of paths whose answers change while a worker is at work."""


class Neighbours:
    """Two tenants with the same modules, and what one of them can do to the other."""

    def __init__(self, url: str, ours: TestTenant, theirs: TestTenant) -> None:
        document = httpx.get(url + "/openapi.json").json()
        self.operations = operations_of(document)
        self.operators = [each for each in self.operations if each.is_operators]
        self.protected = [
            each for each in self.operations if not (each.is_public or each.is_operators)
        ]
        self.ours = Filled(ours, self.operations)
        self.theirs = Filled(theirs, self.operations)

    def owned(self) -> list[Operation]:
        """Operations on something that is ours alone: its name means nothing to them."""
        return [
            each
            for each in self.operations
            if self.ours.path_of(each) is not None  # else its module is off
            and any(self.ours.values[p] != self.theirs.values[p] for p in self._identifiers(each))
        ]

    def _identifiers(self, operation: Operation) -> list[tuple[str, str]]:
        return [p for p in operation.places if isinstance(self.ours.values.get(p), str)]

    def unfilled(self) -> list[str]:
        return [
            str(each)
            for each in self.operations
            if self.ours.path_of(each) is None and not each.is_operators
        ]

    def without_token(self) -> list[str]:
        nobody = self.ours.tenant.anonymous()
        return self._not(401, self.protected, nobody)

    def with_their_token(self, headers: dict[str, str]) -> list[str]:
        return self._not(403, self.protected, self.theirs.tenant.http, headers)

    def with_our_identifiers(self) -> list[str]:
        found = []
        for each in self.owned():
            headers = {"Insula-Tenant": self.theirs.tenant.slug}
            status = self.ours.call(each, self.theirs.tenant.http, headers).status_code
            if status not in (403, 404):
                found.append(f"{each}: {status}")
        return found

    def of_the_operator(self, http: httpx.Client, expected: int) -> list[str]:
        """Operations of the operator API that do not answer so, of a tenant's slug in the path."""
        found = []
        for each in self.operators:
            path = each.path.replace("{slug}", self.theirs.tenant.slug)
            body, kind = each.body()
            answer = http.request(each.method, path, content=body, headers=kind)
            if answer.status_code != expected:
                found.append(f"{each}: {answer.status_code}")
        return found

    def as_customer(self) -> list[str]:
        customer = self.ours.tenant.add_user("customer")
        scopes = customer.http.get("/api/v1/me").json()["scopes"]
        beyond = [each for each in self.protected if each.scope and each.scope not in scopes]
        assert beyond
        return self._not(403, beyond, customer.http)

    def reads(self, who: Filled) -> dict[str, str]:
        """Every good answer to a plain read of what is one's own."""
        owner, answers = who.tenant.http, {}
        for each in self.protected:
            if each.method == "GET" and each.said["responses"]["200"]["content"].get(
                "application/json"
            ):
                answer = who.call(each, owner)
                assert answer.status_code == 200, f"{each}: {answer.text}"
                answers[str(each)] = answer.text
        return answers

    def _not(
        self,
        expected: int,
        operations: list[Operation],
        http: httpx.Client,
        headers: dict[str, str] | None = None,
    ) -> list[str]:
        answers = ((each, self.ours.call(each, http, headers)) for each in operations)
        return [f"{e}: {a.status_code}" for e, a in answers if a.status_code != expected]


@pytest.fixture(scope="module")
def neighbours(installation: Installation) -> Iterator[Neighbours]:
    """One pair for all tests: what is refused leaves them as they were."""
    with (
        closing(sign_up_at(installation.url)) as ours,
        closing(sign_up_at(installation.url)) as theirs,
    ):
        yield Neighbours(installation.url, ours.enable(*discover()), theirs.enable(*discover()))


def test_every_operation_has_something_of_ours_to_be_called_with(neighbours: Neighbours) -> None:
    assert neighbours.unfilled() == []
    assert len(neighbours.owned()) >= 10


def test_nobody_calls_a_protected_operation(neighbours: Neighbours) -> None:
    assert neighbours.without_token() == []


def test_the_operator_api_is_for_nobody_of_a_tenant(neighbours: Neighbours) -> None:
    assert len(neighbours.operators) >= 5
    assert neighbours.of_the_operator(neighbours.ours.tenant.anonymous(), 401) == []
    assert neighbours.of_the_operator(neighbours.ours.tenant.http, 403) == []


def test_a_token_opens_no_other_tenant(neighbours: Neighbours, installation: Installation) -> None:
    slug = neighbours.ours.tenant.slug
    assert neighbours.with_their_token({"Insula-Tenant": slug}) == []
    host = f"{slug}.{installation.settings.base_domain}"
    assert neighbours.with_their_token({"Host": host}) == []


def test_identifiers_of_another_tenant_lead_nowhere(neighbours: Neighbours) -> None:
    before = _at_rest(neighbours.reads(neighbours.ours))
    assert neighbours.with_our_identifiers() == []
    assert _at_rest(neighbours.reads(neighbours.ours)) == before


def _at_rest(answers: dict[str, str]) -> dict[str, str]:
    return {
        operation: text
        for operation, text in answers.items()
        if not any(part in operation for part in CHANGES_BY_ITSELF)
    }


def test_no_answer_names_what_is_another_tenants(neighbours: Neighbours) -> None:
    ours, theirs = neighbours.ours, neighbours.theirs
    secrets = {str(v) for p, v in ours.values.items() if v != theirs.values[p]}
    secrets |= {ours.tenant.slug, ours.tenant.id}
    ours_text = "".join(neighbours.reads(ours).values())
    assert any(secret in ours_text for secret in secrets)
    for operation, text in neighbours.reads(theirs).items():
        assert not any(secret in text for secret in secrets), operation


def test_a_role_without_the_scope_is_refused(neighbours: Neighbours) -> None:
    assert neighbours.as_customer() == []


def test_what_is_open_to_everybody_was_meant_to_be(neighbours: Neighbours) -> None:
    assert _open(neighbours) == PUBLIC_OPERATIONS


def test_every_route_is_in_the_document(neighbours: Neighbours, installation: Installation) -> None:
    assert _unlisted(installation.settings, discover(), neighbours.operations) == []


def _open(neighbours: Neighbours) -> set[str]:
    return {str(each) for each in neighbours.operations if each.is_public}


def _unlisted(settings: Settings, modules: dict[str, Module], listed: list[Operation]) -> list[str]:
    """What is mounted and neither in the document nor a page for people."""
    app = cast(Any, build(settings, modules))._app
    known = {(each.method, each.path) for each in listed}
    found = []
    for route in app.routes:
        path = getattr(route, "path_format", route.path) or "/"
        if path in ("/openapi.json", "/docs") or path.startswith("/docs/"):
            continue
        methods = route.methods - {"OPTIONS"} if isinstance(route, HTTPRoute) else {"?"}
        found += [f"{method} {path}" for method in methods if (method, path) not in known]
    return found


# The same checks against an installation that does leak


@pytest.fixture
def leaking(installation: Installation, tmp_path: Path) -> Iterator[str]:
    """A second web server on the same databases, with a careless module."""
    port = free_port()
    options = f"--interface asgi --factory --no-ws --host 127.0.0.1 --port {port}".split()
    granian: str | Path = Path(sys.executable).with_name("granian")
    command = [granian, *options, "fixtures.leaking:create_app"]
    here, log = Path(__file__).parents[1], tmp_path / "leaking.log"
    metrics = {"INSULA_METRICS_PORT": str(free_port())}
    with running(command, log=log, cwd=here, environment=installation.environ | metrics):
        wait_until(lambda: listens(port), "the leaking server listens")
        yield f"http://127.0.0.1:{port}"


def test_a_route_that_leaks_is_noticed(
    leaking: str, installation: Installation, sign_up: SignUp
) -> None:
    pair = [sign_up(), sign_up()]
    for tenant in pair:
        tenant.url = leaking
        tenant.owner = tenant.user(tenant.owner.email, tenant.owner.tokens)
        tenant.enable("notes", "leaks")
    neighbours = Neighbours(leaking, *pair)
    assert neighbours.with_our_identifiers() == ["GET /api/v1/leaks/{leak_id}: 200"]
    assert _open(neighbours) - PUBLIC_OPERATIONS == {"GET /api/v1/leaks/open"}
    modules = {**discover(), "leaks": LEAKS}
    unlisted = _unlisted(installation.settings, modules, neighbours.operations)
    assert unlisted == ["GET /api/v1/leaks/unlisted"]
