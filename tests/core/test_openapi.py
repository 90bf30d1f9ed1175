"""The OpenAPI document and the pages that explain it."""

import re
from typing import Any

import httpx
import pytest
from fixtures.installation import Installation
from insula.http.problem import KINDS
from openapi_spec_validator import OpenAPIV31SpecValidator


@pytest.fixture
def client(installation: Installation) -> httpx.Client:
    return httpx.Client(base_url=installation.url, timeout=30)


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json())


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_an_invalid_document_would_be_noticed(document: dict[str, Any]) -> None:
    del document["paths"]["/api/v1/me"]["get"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_every_operation_says_what_it_is_for_and_who_may(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        public = operation["security"] == []
        operators = operation["security"] == [{"operator": []}]
        assert public or operators or operation["security"] == [{"bearer": []}], where
        if not public:
            assert {"401", "403"} & set(operation["responses"]), where
    ids = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(ids) == len(set(ids))


def test_errors_are_documented_as_problems(document: dict[str, Any]) -> None:
    responses = document["components"]["responses"]
    for _, path, operation in _operations(document):
        for status, answer in operation["responses"].items():
            if status[0] in "45" and not path.startswith(("/health", "/compat/")):
                found = responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
                assert list(found["content"]) == ["application/problem+json"], (path, status)


def test_a_list_documents_its_filters_and_orders(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/users"]["get"]["parameters"]
    named = {item["name"]: item for item in parameters if "name" in item}
    assert named["sort"]["schema"]["default"] == "-created_at"
    assert "-email" in named["sort"]["schema"]["enum"]
    assert {"role", "created_at[gte]", "fields"} <= set(named)


def test_a_number_in_a_path_documents_its_bounds(document: dict[str, Any]) -> None:
    path = "/api/v1/notes/{note_id}/tasks/{number}"
    parameters = document["paths"][path]["patch"]["parameters"]
    number = next(item for item in parameters if item.get("name") == "number")
    assert number["schema"] == {"type": "integer", "minimum": 1, "maximum": 1_000_000}


def test_bodies_have_examples_that_work(document: dict[str, Any]) -> None:
    for _, path, operation in _operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:  # a file that is uploaded as JSON has no schema to be an example of
            assert "example" in content, path


def test_the_document_is_not_sent_twice(client: httpx.Client) -> None:
    etag = client.get("/openapi.json").headers["etag"]
    assert client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


def test_the_docs_page_shows_every_operation_and_needs_no_other_server(
    client: httpx.Client, document: dict[str, Any]
) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for _, _, operation in _operations(document):
        assert f'id="{operation["operationId"]}"' in page.text
    loaded = re.findall(r'(?:src|href)="([^"#][^"]*)"', page.text)
    assert all(address.startswith("/") for address in loaded), loaded
    for address in set(loaded):
        assert client.get(address).status_code == 200, address


def test_every_problem_type_is_explained(client: httpx.Client) -> None:
    index = client.get("/docs/problems").text
    for slug, kind in KINDS.items():
        assert f"/docs/problems/{slug}" in index
        page = client.get(f"/docs/problems/{slug}")
        assert page.status_code == 200
        assert str(kind.status) in page.text
        assert kind.__doc__, f"{kind.__name__} needs a docstring: /docs prints it"
    assert client.get("/docs/problems/nonsense").status_code == 404
