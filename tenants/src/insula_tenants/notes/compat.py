"""``/compat/languagetool/v2``: what editors with a LanguageTool client ask, of our own check."""

from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from insula.access import PUBLIC
from insula.db import Work
from insula.http.body import too_large
from insula.http.exchange import Caller
from insula.http.problem import BadRequest, FieldError, InvalidInput, UnsupportedMediaType
from insula.i18n import say
from litestar import Request, Router, get, post
from msgspec import Meta

from insula_tenants.notes.errors import TextTooHard
from insula_tenants.notes.grammar.answers import CheckAnswer
from insula_tenants.notes.grammar.request import LANGUAGES, TEXT_LIMIT, Check, run
from insula_tenants.notes.permissions import READ

_FORM = "application/x-www-form-urlencoded"
_BODY_LIMIT = 2 << 20  # a text of the largest size, all of it percent-encoded
_RULES = 200


class LanguageLine(msgspec.Struct, rename="camel"):
    name: str
    code: Annotated[str, Meta(examples=["en"])]
    long_code: Annotated[str, Meta(examples=["en-US"])]


@get("/languages", right=PUBLIC)
async def list_languages() -> list[LanguageLine]:
    """The kinds of English that can be checked."""
    return [LanguageLine(name, "en", code) for code, (name, _) in LANGUAGES.items()]


@post(
    "/check",
    right=READ,
    status_code=200,
    body_limit=_BODY_LIMIT,
    consumes=(_FORM,),
    problems=(TextTooHard, InvalidInput),
)
async def check_form(request: Request[Any, Any, Any], tx: Work, caller: Caller) -> CheckAnswer:
    """Check a text, sent as a form with ``text`` and ``language``. The text is prose unless
    ``data`` marks it up otherwise, which is not supported."""
    return await run(tx, _read(await _receive(request)), caller)


async def _receive(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise UnsupportedMediaType(say("Send {form}.", form=_FORM))
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise too_large(_BODY_LIMIT)
    try:
        return parse_qs(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError as error:
        raise BadRequest("The form cannot be read.") from error


def _read(form: dict[str, list[str]]) -> Check:
    """Of a field that is given twice, the last counts."""
    given = {name: values[-1] for name, values in form.items()}
    text = given.get("text")
    if text is None:
        raise InvalidInput(errors=(FieldError("/text", "is missing"),))
    if len(text) > TEXT_LIMIT:
        raise InvalidInput(
            errors=(FieldError("/text", say("is longer than {text_limit}", text_limit=TEXT_LIMIT)),)
        )
    return Check(
        text,
        given.get("language", "auto")[:40],
        markdown=False,
        disabled_rules=_names(given, "disabledRules"),
        enabled_rules=_names(given, "enabledRules"),
        enabled_only=given.get("enabledOnly") == "true",
    )


def _names(given: dict[str, str], field: str) -> frozenset[str]:
    return frozenset(given.get(field, "").split(",", _RULES)[:_RULES]) - {""}


ROUTER = Router(path="/compat/languagetool/v2", route_handlers=[list_languages, check_form])
