"""One operation: what an endpoint takes, gives and needs."""

from typing import Any, Final, get_args, get_origin

from litestar.datastructures import UploadFile
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg
from litestar.response import File, Stream

from insula.access import Scope
from insula.http.listing import Page
from insula.http.openapi.endpoints import Endpoint
from insula.http.openapi.parameters import parameters_of
from insula.http.openapi.problems import problems_of
from insula.http.openapi.schemas import Schema, Schemas, plain_text

JSON: Final = "application/json"
_BINARY: Final = "application/octet-stream"
_REASONS: Final = {200: "As asked.", 201: "Made.", 202: "Begun.", 204: "Done; there is no content."}


class Operations:
    """Writes operations over shared schemas."""

    def __init__(
        self, schemas: Schemas, scopes: dict[str, Scope], known: frozenset[tuple[str, str]]
    ) -> None:
        """``known`` are the (method, path) pairs that exist."""
        self._schemas = schemas
        self._scopes = scopes
        self._known = known

    def of(self, endpoint: Endpoint, operation_id: str) -> Schema:
        summary, description = self._words(endpoint)
        operation: Schema = {
            "operationId": operation_id,
            "summary": summary,
            "description": description,
            "tags": list(endpoint.handler.resolve_tags()),
            "security": _security(endpoint),
        }
        if endpoint.scope is not None:
            operation["x-insula-scope"] = endpoint.scope
        if endpoint.handler.deprecated:
            operation["deprecated"] = True
        if parameters := parameters_of(endpoint, self._schemas):
            operation["parameters"] = parameters
        if body := self._body(endpoint):
            operation["requestBody"] = body
        operation["responses"] = self._responses(endpoint)
        return operation

    # Words

    def _words(self, endpoint: Endpoint) -> tuple[str, str]:
        """Summary and description: the docstring's first sentence and all of it, with the right."""
        text = plain_text(endpoint.docstring)
        first = text.partition("\n\n")[0].replace("\n", " ")
        summary = endpoint.handler.summary or _first_sentence(first)
        return summary, "\n\n".join(part for part in (text, self._right(endpoint)) if part)

    def _right(self, endpoint: Endpoint) -> str:
        if endpoint.is_public:
            return "Needs no token."
        if endpoint.scope is None:
            return "Every signed-in user may do this."
        scope = self._scopes[endpoint.scope]
        holders = ", ".join(role for role in ("owner", *scope.roles))
        return f"Needs the scope `{scope.name}` ({scope.summary.lower()}). Roles: {holders}."

    # Body

    def _body(self, endpoint: Endpoint) -> Schema | None:
        if endpoint.reads_body_itself:
            return self._raw_body(endpoint)
        field = endpoint.body
        if field is None:
            return None
        kwarg = field.kwarg_definition
        media_type = kwarg.media_type if isinstance(kwarg, BodyKwarg) else JSON
        if field.annotation is UploadFile:
            schema: Schema = {"type": "string", "contentMediaType": _BINARY}
        else:
            schema = self._schemas.of(field.annotation, taken=True)
        return {"required": True, "content": {str(media_type): {"schema": schema}}}

    def _raw_body(self, endpoint: Endpoint) -> Schema:
        """A route that reads its body itself says in ``consumes=`` what it takes."""
        limit = endpoint.handler.opt["body_limit"]
        consumes = endpoint.handler.opt.get("consumes", (_BINARY,))
        return {
            "required": True,
            "description": f"At most {limit:,} bytes.",
            "content": {media_type: {} for media_type in consumes},
        }

    # Answers

    def _responses(self, endpoint: Endpoint) -> Schema:
        answers: dict[int, Schema] = {int(endpoint.handler.status_code): self._good(endpoint)}
        if endpoint.is_safe:
            answers[304] = {"$ref": "#/components/responses/NotModified"}
        if endpoint.has_ranges:
            answers[206] = self._part(endpoint)
        answers |= problems_of(endpoint, self._schemas)
        for status, spec in (endpoint.handler.responses or {}).items():
            answers[status] = self._other(spec)
        return {str(status): answers[status] for status in sorted(answers)}

    def _good(self, endpoint: Endpoint) -> Schema:
        status = int(endpoint.handler.status_code)
        answer: Schema = {
            "description": _REASONS.get(status, "As asked."),
            "headers": {name: _header(name) for name in self._header_names(endpoint, status)},
        }
        if status != 204:
            answer["content"] = self._content(endpoint)
        return answer

    def _part(self, endpoint: Endpoint) -> Schema:
        good = self._good(endpoint)
        content = {**good["content"], "multipart/byteranges": {}}
        return {**good, "description": "The ranges that were asked for.", "content": content}

    def _header_names(self, endpoint: Endpoint, status: int) -> list[str]:
        names = ["Insula-Trace-Id"]
        if endpoint.is_behind_gate:
            names += ["RateLimit", "RateLimit-Policy"]
        if endpoint.is_safe or endpoint.takes_header("If-Match") or self._makes(endpoint):
            names.append("ETag")
        if self._makes(endpoint):
            names.append("Location")
        if endpoint.listing is not None:
            names.append("Link")
        if endpoint.keeps_key:
            names.append("Idempotency-Replayed")
        return sorted(names)

    def _makes(self, endpoint: Endpoint) -> bool:
        """Whether this adds to a collection whose members can be read one by one."""
        prefix = endpoint.path + "/{"
        return endpoint.method == "POST" and any(
            method == "GET" and path.startswith(prefix) and path.endswith("}")
            for method, path in self._known
        )

    def _content(self, endpoint: Endpoint) -> Schema:
        answer = endpoint.answer
        media_type = _media_type(endpoint.handler, answer)
        if media_type != JSON and not media_type.endswith("+json"):
            text = media_type.startswith("text/")
            only: Schema = {"schema": {"type": "string"}} if text else {}
            return dict.fromkeys(endpoint.produces or (media_type,), only)
        schema = self._schemas.of(answer)
        if endpoint.listing is not None:
            schema = self._page(answer, schema)
        others: Schema = {other: {} for other in endpoint.produces}
        return {media_type: {"schema": schema}, **others}

    def _page(self, answer: Any, schema: Schema) -> Schema:
        """A page whose items are whole, or cut down by ``fields``."""
        if get_origin(answer) is not Page:
            return schema
        return {"anyOf": [schema, self._schemas.selection(answer, get_args(answer)[0])]}

    def _other(self, spec: ResponseSpec) -> Schema:
        answer: Schema = {"description": spec.description}
        if spec.data_container is not None:
            media_type = str(getattr(spec.media_type, "value", spec.media_type))
            answer["content"] = {media_type: {"schema": self._schemas.of(spec.data_container)}}
        return answer


def _header(name: str) -> Schema:
    return {"$ref": f"#/components/headers/{name}"}


def _first_sentence(text: str) -> str:
    sentence = text.partition(". ")[0].partition("; ")[0].partition(": ")[0]
    return sentence.rstrip(".")


def _media_type(handler: HTTPRouteHandler, answer: Any) -> str:
    media_type = str(getattr(handler.media_type, "value", handler.media_type) or "")
    if answer in (Stream, File) or answer is bytes:
        return media_type if media_type and media_type != JSON else _BINARY
    return media_type or JSON


def _security(endpoint: Endpoint) -> list[Schema]:
    if endpoint.is_public:
        return []
    return [{"operator" if endpoint.is_operators else "bearer": []}]
