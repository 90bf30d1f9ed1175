"""The API as a page: every operation with what it takes, what it gives and a line of curl."""

import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

Schema = dict[str, Any]
_REF = "#/components/"


class DocsPage:
    """Renders an OpenAPI document of ours; it need not understand others."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def render(self) -> str:
        info = self._document["info"]
        body = "".join(
            (
                f"<h2>{escape(info['title'])}</h2>{text(info['description'])}",
                '<p>The same for programs: <a href="/openapi.json">openapi.json</a> '
                "(OpenAPI 3.1). What can go wrong: "
                '<a href="/docs/problems">problem types</a>.</p>',
                *(self._section(tag) for tag in self._document["tags"]),
            )
        )
        return frame(f"{info['title']} API", self._navigation(), body)

    def _operations(self, tag: str) -> Iterator[tuple[str, str, Schema]]:
        for path, item in self._document["paths"].items():
            for method, operation in item.items():
                if tag in operation["tags"]:
                    yield method, path, operation

    def _navigation(self) -> str:
        parts = ['<input type="search" placeholder="Filter" aria-label="Filter the operations">']
        for tag in self._document["tags"]:
            parts.append(f"<strong>{escape(tag['name'])}</strong><ul>")
            parts += (
                f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a></li>'
                for _, _, operation in self._operations(tag["name"])
            )
            parts.append("</ul>")
        return "".join(parts)

    def _section(self, tag: Schema) -> str:
        operations = "".join(self._operation(*found) for found in self._operations(tag["name"]))
        lead = f'<p class="lead">{escape(tag.get("description", ""))}</p>'
        return f"<section><h2>{escape(tag['name'])}</h2>{lead}{operations}</section>"

    def _operation(self, method: str, path: str, operation: Schema) -> str:
        return (
            f'<details class="operation" id="{operation["operationId"]}"><summary>'
            f'<span class="method {method}">{method.upper()}</span>'
            f'<code class="path">{escape(path)}</code>'
            f'<span class="what">{escape(operation["summary"])}</span></summary><div>'
            f"{text(operation['description'])}"
            f"{self._parameters(operation)}{self._body(operation)}"
            f"{self._responses(operation)}<h3>Try it</h3>{_code(_curl(method, path, operation))}"
            "</div></details>"
        )

    def _parameters(self, operation: Schema) -> str:
        rows = [
            (
                _name(parameter["name"], needed=parameter.get("required", False)),
                f"{parameter['in']}, {self._type(parameter['schema'])}",
                text(parameter.get("description", "")),
            )
            for parameter in map(self._resolve, operation.get("parameters", []))
        ]
        return _table("Parameters", rows)

    def _body(self, operation: Schema) -> str:
        body = operation.get("requestBody")
        if body is None:
            return ""
        media_type, content = next(iter(body["content"].items()))
        schema = self._resolve(content.get("schema", {}))
        required = schema.get("required", [])
        rows = [
            (_name(name, needed=name in required), self._type(field), text(_about(field)))
            for name, field in schema.get("properties", {}).items()
        ]
        kinds = ", ".join(body["content"])
        example = _code(_json(content["example"])) if "example" in content else ""
        return (
            f"{_table(f'Body: {kinds}', rows) or f'<h3>Body: {escape(media_type)}</h3>'}{example}"
        )

    def _responses(self, operation: Schema) -> str:
        rows, example = [], ""
        for status, reference in operation["responses"].items():
            response = self._resolve(reference)
            rows.append((f'<span class="status">{status}</span>', text(response["description"])))
            for content in response.get("content", {}).values():
                if status.startswith("2") and content.get("example") is not None:
                    example = _code(_json(content["example"]))
        return _table("Answers", rows) + example

    def _resolve(self, schema: Schema) -> Schema:
        """Follow a reference within the document."""
        while "$ref" in schema:
            found: Any = self._document["components"]
            for part in schema["$ref"].removeprefix(_REF).split("/"):
                found = found[part]
            schema = found
        return schema

    def _type(self, schema: Schema) -> str:
        """A schema in a few words."""
        if "$ref" in schema:
            return escape(schema["$ref"].rpartition("/")[2])
        if "enum" in schema:
            return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
        if "anyOf" in schema:
            return " or ".join(map(self._type, schema["anyOf"]))
        kind = schema.get("type", "anything")
        if kind == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        return escape(str(schema.get("format", kind)))


def frame(title: str, navigation: str, body: str) -> str:
    """A page in the documentation's frame."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/docs/style.css"><script defer src="/docs/page.js"></script>'
        '</head><body><nav><h1><a href="/docs">Insula</a></h1>'
        f"{navigation}</nav><main>{body}</main></body></html>"
    )


def text(markdown: str) -> str:
    """The little Markdown that our docstrings use: paragraphs, lists, code spans."""
    blocks = []
    for block in markdown.split("\n\n"):
        lines = block.strip().split("\n")
        if lines and all(line.startswith("- ") for line in lines):
            items = "".join(f"<li>{_inline(line[2:])}</li>" for line in lines)
            blocks.append(f"<ul>{items}</ul>")
        elif block.strip():
            blocks.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "".join(blocks)


def _inline(line: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(line))


def _about(field: Schema) -> str:
    return str(field.get("description", ""))


def _name(name: str, *, needed: bool) -> str:
    mark = ' <span class="needed">required</span>' if needed else ""
    return f"<code>{escape(name)}</code>{mark}"


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<h3>{escape(title)}</h3><table>{lines}</table>"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _code(source: str) -> str:
    return f"<pre><code>{escape(source)}</code></pre>"


def _curl(method: str, path: str, operation: Schema) -> str:
    parts = [f"curl -X {method.upper()} http://localhost:8000{path}"]
    if operation["security"]:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    body = operation.get("requestBody")
    if body is not None:
        media_type, content = next(iter(body["content"].items()))
        parts.append(f"-H 'Content-Type: {media_type}'")
        if "example" in content:
            compact = json.dumps(content["example"], ensure_ascii=False).replace("'", "'\\''")
            parts.append(f"-d '{compact}'")
        else:
            parts.append("--data-binary @file")
    return " \\\n  ".join(parts)
