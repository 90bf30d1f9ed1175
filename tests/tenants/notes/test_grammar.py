"""The grammar check: what is found, where, and what is passed over."""

import asyncio
import time
from typing import Any

import language_tool_python
import pytest
import requests.sessions
from fixtures.installation import SignUp, TestTenant
from insula_tenants.notes.errors import TextTooHard
from insula_tenants.notes.grammar.answers import answer
from insula_tenants.notes.grammar.checking import Checker
from insula_tenants.notes.grammar.child import Finding, Request

PATH = "/api/v1/notes/check"
_HARD = "(" * 50_000
"""Minutes of work for the checker."""


@pytest.fixture
def tenant(sign_up: SignUp) -> TestTenant:
    return sign_up("notes")


def _check(tenant: TestTenant, text: str, **more: Any) -> list[dict[str, Any]]:
    checked = tenant.http.post(PATH, json={"text": text, **more}, timeout=60)
    assert checked.status_code == 200, checked.text
    assert checked.json()["warnings"] == {"incompleteResults": False}
    return list(checked.json()["matches"])


def _problems(text: str, matches: list[dict[str, Any]]) -> list[str]:
    """The pieces of the source that offsets and lengths in UTF-16 point at."""
    units = text.encode("utf-16-le")
    ends = [(m["offset"] * 2, (m["offset"] + m["length"]) * 2) for m in matches]
    return [units[start:end].decode("utf-16-le") for start, end in ends]


_MARKDOWN = """---
title: teh title
---
# The Roof

Thsi is `teh code` and 😀😀 teh roof with a [teh link](http://example.com/teh).\r

```python
teh = recieve
```

> I could of 🌱 gone.
"""


def test_offsets_are_those_of_the_source_and_code_is_passed_over(tenant: TestTenant) -> None:
    matches = _check(tenant, _MARKDOWN)
    assert _problems(_MARKDOWN, matches) == ["Thsi", "teh", "teh", "could of"]
    for match, problem in zip(matches, ["Thsi", "teh", "teh", "could of"], strict=True):
        context = match["context"]
        assert _problems(context["text"], [context]) == [problem]
        assert problem in match["sentence"]
    assert {"value": "This"} in matches[0]["replacements"]
    assert matches[0]["rule"]["issueType"] == "misspelling"
    assert matches[3]["replacements"] == [{"value": "could have"}]


def test_the_shape_is_that_of_languagetool(tenant: TestTenant) -> None:
    (match,) = _check(tenant, "This is an test.")
    assert match.keys() >= {"message", "shortMessage", "replacements", "offset", "length",
                            "context", "sentence", "type", "rule"}  # fmt: skip
    assert (match["offset"], match["length"]) == (8, 2)
    assert match["sentence"] == "This is an test."
    assert match["rule"]["id"] == "AnA"
    assert match["rule"]["category"] == {"id": "MISCELLANEOUS", "name": "Miscellaneous"}
    assert _check(tenant, "This is an test.", disabled_rules=["AnA"]) == []


def test_dialects_differ(tenant: TestTenant) -> None:
    assert _problems("Nice colour.", _check(tenant, "Nice colour.")) == ["colour"]
    assert _check(tenant, "Nice colour.", language="en-GB") == []
    unknown = tenant.http.post(PATH, json={"text": "x", "language": "tlh"})
    assert unknown.json()["errors"][0]["pointer"] == "/language"


def test_words_are_ones_own_or_everybodys_and_never_another_tenants(
    tenant: TestTenant, sign_up: SignUp
) -> None:
    text = "The Inzulla has a frigidarium-ish Kamin."
    found = _problems(text, _check(tenant, text))
    assert "Inzulla" in found
    added = tenant.http.post("/api/v1/notes/words", json={"word": "inzulla"})
    assert added.status_code == 201, added.text
    assert tenant.http.post("/api/v1/notes/words", json={"word": "Inzulla"}).is_success
    assert "Inzulla" not in _problems(text, _check(tenant, text))
    member = tenant.add_user()
    seen = member.http.post(PATH, json={"text": text}).json()["matches"]
    assert "Inzulla" in _problems(text, seen)
    shared = tenant.http.post("/api/v1/notes/words", json={"word": "Inzulla", "shared": True})
    seen = member.http.post(PATH, json={"text": text}).json()["matches"]
    assert "Inzulla" not in _problems(text, seen)
    assert "Inzulla" in _problems(text, _check(sign_up("notes"), text))
    listed = member.http.get("/api/v1/notes/words").json()["items"]
    assert [word["id"] for word in listed] == [shared.json()["id"]]
    foreign = member.http.delete(f"/api/v1/notes/words/{added.json()['id']}")
    assert foreign.status_code == 404
    assert tenant.http.delete(f"/api/v1/notes/words/{added.json()['id']}").status_code == 204


def test_what_is_too_long_is_refused(tenant: TestTenant) -> None:
    assert tenant.http.post(PATH, json={"text": "a" * 100_001}).status_code == 400
    assert _check(tenant, "") == []


async def test_a_text_that_takes_too_long_is_given_up_and_the_next_is_checked() -> None:
    checker = Checker(processes=1, seconds=30)
    try:
        warm = await checker.check(Request("This is an test.", 0, True))
        assert [finding.rule for finding in warm] == ["AnA"]
        checker._seconds = 0.5
        began = time.monotonic()
        with pytest.raises(TextTooHard):
            await checker.check(Request(_HARD, 0, True))
        assert time.monotonic() - began < 30
        checker._seconds = 60
        again = await checker.check(Request("This is an test.", 0, True))
        assert [finding.rule for finding in again] == ["AnA"]
    finally:
        await checker.close()
        await asyncio.sleep(0)


def test_more_than_a_thousand_matches_are_cut() -> None:
    finding = Finding("R", "Style", 0, 1, "m", [])
    cut = answer("text", [finding] * 1001, "en-US", "English (US)")
    assert len(cut.matches) == 1000
    assert cut.warnings.incomplete_results


def test_a_client_of_languagetool_is_served(
    tenant: TestTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends no token of its own, so every request of its library gets one."""
    headers = {"Authorization": tenant.http.headers["authorization"]}
    monkeypatch.setattr(requests.sessions, "default_headers", lambda: dict(headers))
    server = f"{tenant.url}/compat/languagetool/"
    with language_tool_python.LanguageTool("en-US", remote_server=server) as tool:
        text = "😀 This is an test. I could of gone."
        matches = tool.check(text)
        assert [match.rule_id for match in matches] == ["AnA", "ModalOf"]
        assert language_tool_python.utils.correct(text, matches) == (
            "😀 This is a test. I could have gone."
        )


def test_the_form_is_checked_as_well(tenant: TestTenant) -> None:
    path = "/compat/languagetool/v2/check"
    form = {"text": "This is an test. Teh end.", "language": "en-US", "disabledRules": "AnA"}
    found = tenant.http.post(path, data=form).json()
    assert [match["rule"]["id"] for match in found["matches"]] == ["The"]
    only = form | {"enabledOnly": "true", "enabledRules": "AnA"}
    found = tenant.http.post(path, data=only).json()
    assert [match["rule"]["id"] for match in found["matches"]] == ["AnA"]
    assert tenant.http.post(path, json=form).status_code == 415
    assert tenant.http.post(path, data={"language": "en"}).status_code == 400
    assert tenant.anonymous().post(path, data=form).status_code == 401
    many = "&".join(["a=1"] * 100)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert tenant.http.post(path, content=many, headers=kind).status_code == 400
