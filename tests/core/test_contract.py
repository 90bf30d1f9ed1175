"""Schemathesis holds every operation of the document against the running server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fixtures.installation import Installation, SignUp, TestTenant
from insula.keys import operator_token
from insula.module import discover

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDS_SOMETHING = ("sign_out", "disable_module")
"""Operations that take away what the others need."""


def _schemathesis(
    schema: str, tenant: TestTenant, *options: str, token: str = "", examples: int = 10
) -> subprocess.CompletedProcess[str]:
    headers = ["-H", f"Insula-Tenant: {tenant.slug}"]
    if token:
        headers += ["-H", f"Authorization: Bearer {token}"]
    command = [
        str(Path(sys.executable).with_name("st")),
        *("run", schema, "--url", tenant.url, *headers),
        *("--checks", ",".join(CHECKS)),
        *("--phases", "examples,coverage,fuzzing"),
        *("--max-examples", str(examples), "--generation-deterministic"),
        *("--continue-on-failure", "--warnings", "off", "--no-shrink"),
        *options,
    ]
    folder = Path(schema).parent
    hooks = {
        "SCHEMATHESIS_HOOKS": "fixtures.schemathesis_hooks",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | hooks,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


MODULES = discover()
TITLES = [module.title for module in MODULES.values()]


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    """A tenant with every module on, and something in it."""
    tenant = sign_up(*MODULES)
    tenant.http.post("/api/v1/notes", json={"title": "One", "body": "# One\n\n- [ ] [[Two]] #a"})
    return tenant


@pytest.fixture
def schema(tenant: TestTenant, tmp_path: Path) -> str:
    file = tmp_path / "openapi.json"
    file.write_bytes(httpx.get(f"{tenant.url}/openapi.json").content)
    return str(file)


@pytest.mark.parametrize("part", ["the platform", *TITLES])
def test_no_operation_fails_or_gives_an_undocumented_answer(
    tenant: TestTenant, schema: str, part: str
) -> None:
    """In parts, which run side by side."""
    ending = [option for name in ENDS_SOMETHING for option in ("--exclude-operation-id", name)]
    others = [option for title in TITLES for option in ("--exclude-tag", title)]
    chosen = [*ending, *others] if part == "the platform" else ["--include-tag", part]
    token = tenant.owner.tokens["access_token"]
    result = _schemathesis(schema, tenant, *chosen, token=token)
    assert result.returncode == 0, result.stdout[-6000:]


@pytest.mark.parametrize("operation", ENDS_SOMETHING)
def test_neither_do_those_that_end_something(
    tenant: TestTenant, schema: str, operation: str
) -> None:
    token = tenant.owner.tokens["access_token"]
    result = _schemathesis(schema, tenant, "--include-operation-id", operation, token=token)
    assert result.returncode == 0, result.stdout[-6000:]


def test_neither_do_the_operators(
    tenant: TestTenant, schema: str, installation: Installation
) -> None:
    token = operator_token(installation.settings.secret_key)
    result = _schemathesis(schema, tenant, "--include-tag", "Operator", token=token)
    assert result.returncode == 0, result.stdout[-6000:]


def test_nor_does_any_without_a_token(tenant: TestTenant, schema: str) -> None:
    # What is wrong with the input in each way is tried with a token: here it is mostly not read.
    result = _schemathesis(schema, tenant, "--phases", "examples,fuzzing", examples=3)
    assert result.returncode == 0, result.stdout[-6000:]


def test_an_undocumented_answer_would_be_found(tenant: TestTenant, schema: str) -> None:
    document = json.loads(Path(schema).read_text())
    del document["paths"]["/api/v1/users/{user_id}"]["get"]["responses"]["404"]
    Path(schema).write_text(json.dumps(document))
    token = tenant.owner.tokens["access_token"]
    result = _schemathesis(schema, tenant, "--include-operation-id", "get_user", token=token)
    assert result.returncode == 1
    assert "ndocumented" in result.stdout, result.stdout
