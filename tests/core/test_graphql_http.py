"""GraphQL over HTTP, as its own audits see it."""

import hashlib
import json
from typing import Any

import pytest
from fixtures.installation import SignUp, TestTenant
from fixtures.npm import packages, run_node

AUDITS = """
import { auditServer } from "graphql-http";
const [url, token] = process.argv.slice(2);
const results = await auditServer({
  url,
  fetchFn: (target, options = {}) =>
    fetch(target, {
      ...options,
      headers: { ...options.headers, authorization: `Bearer ${token}` },
    }),
});
console.log(JSON.stringify(
  results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))
));
"""
RESPONSE = "application/graphql-response+json"


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def test_every_audit_of_graphql_http_passes(tenant: TestTenant) -> None:
    folder = packages("graphql-http@1.23.1", "graphql@16.11.0")
    token = tenant.owner.tokens["access_token"]
    results = json.loads(run_node(folder, AUDITS, f"{tenant.url}/graphql", token))
    assert len(results) > 50
    assert [each for each in results if each["status"] != "ok"] == []


def _post(tenant: TestTenant, query: str, accept: str = RESPONSE, **more: Any) -> Any:
    return tenant.http.post("/graphql", json={"query": query, **more}, headers={"Accept": accept})


def test_the_media_type_follows_accept(tenant: TestTenant) -> None:
    wanted = {
        "text/html, application/graphql-response+json;q=0.9, application/json;q=0.8": RESPONSE,
        "application/json, application/graphql-response+json;q=0.5": "application/json",
        "*/*": "application/json",
    }
    for accept, kind in wanted.items():
        answer = _post(tenant, "{__typename}", accept)
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert _post(tenant, "{__typename}", "text/html").status_code == 406


def test_queries_may_be_sent_by_get_and_mutations_not(tenant: TestTenant) -> None:
    http = tenant.http
    query = {"query": "query A($n: Int) {users(first: $n) {nodes {role}}}", "variables": '{"n":1}'}
    answer = http.get("/graphql", params=query)
    assert answer.json() == {"data": {"users": {"nodes": [{"role": "owner"}]}}}
    again = http.get("/graphql", params=query, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    create = 'mutation {createNote(note: {title: "x"}) {id}}'
    answer = http.get("/graphql", params={"query": create})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert http.get("/api/v1/notes").json()["items"] == []


def test_a_batch_is_refused(tenant: TestTenant) -> None:
    answer = tenant.http.post("/graphql", json=[{"query": "{__typename}"}] * 2)
    assert answer.status_code == 400


def test_the_gate_treats_it_like_the_rest(tenant: TestTenant, sign_up: SignUp) -> None:
    http = tenant.anonymous()
    assert http.post("/graphql", json={"query": "{__typename}"}).status_code == 200
    nameless = http.post("/graphql", json={"query": "{__typename}"}, headers={"Insula-Tenant": ""})
    assert nameless.json()["type"].endswith("/tenant-required")
    wrong = tenant.http.post(
        "/graphql", json={"query": "{__typename}"}, headers={"Insula-Tenant": sign_up().slug}
    )
    assert wrong.status_code == 403
    bad = http.post(
        "/graphql", json={"query": "{__typename}"}, headers={"Authorization": "Bearer x"}
    )
    assert bad.status_code == 401
    answer = _post(tenant, "{__typename}")
    assert "ratelimit" in answer.headers
    assert "insula-trace-id" in answer.headers


def test_a_repeated_mutation_with_a_key_happens_once(tenant: TestTenant) -> None:
    body = {"query": 'mutation {createNote(note: {title: "Once"}) {id}}'}
    headers = {"Idempotency-Key": "k-1"}
    first = tenant.http.post("/graphql", json=body, headers=headers)
    again = tenant.http.post("/graphql", json=body, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert len(tenant.http.get("/api/v1/notes").json()["items"]) == 1


def test_a_query_is_kept_by_its_hash(tenant: TestTenant, sign_up: SignUp) -> None:
    query = "{me {user {role}}}"
    digest = hashlib.sha256(query.encode()).hexdigest()
    hashed = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
    unknown = tenant.http.post("/graphql", json=hashed).json()
    assert unknown["errors"][0]["message"] == "PersistedQueryNotFound"
    assert unknown["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    found = {"data": {"me": {"user": {"role": "owner"}}}}
    assert tenant.http.post("/graphql", json={"query": query, **hashed}).json() == found
    assert tenant.http.post("/graphql", json=hashed).json() == found
    params = {"extensions": json.dumps(hashed["extensions"])}
    assert tenant.http.get("/graphql", params=params).json() == found
    assert "errors" in sign_up().http.post("/graphql", json=hashed).json()
    forged = tenant.http.post("/graphql", json={"query": "{__typename}", **hashed})
    assert "sha256Hash" in forged.json()["errors"][0]["message"]
