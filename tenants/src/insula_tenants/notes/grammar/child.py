"""The process that checks: one request a line on stdin, one answer a line on stdout."""

import resource
import sys
from typing import Any

import harper
import msgspec

_MEMORY = 2 << 30


class Request(msgspec.Struct, array_like=True):
    text: str
    dialect: int
    markdown: bool


class Finding(msgspec.Struct, array_like=True):
    """One thing that a rule has found; ``start`` and ``end`` count code points."""

    rule: str
    kind: str
    start: int
    end: int
    message: str
    replacements: list[str]


def main() -> None:
    """Serve until the parent closes the pipe, or is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    linters: dict[int, Any] = {}
    decode, encode = msgspec.json.Decoder(Request).decode, msgspec.json.encode
    while line := sys.stdin.buffer.readline():
        request = decode(line)
        linter = linters.get(request.dialect)
        if linter is None:
            linter = linters[request.dialect] = harper.Linter(harper.Dialect(request.dialect))
        sys.stdout.buffer.write(encode(_check(linter, request)) + b"\n")
        sys.stdout.buffer.flush()


def _check(linter: Any, request: Request) -> list[Finding]:
    language = harper.Language.MARKDOWN if request.markdown else harper.Language.PLAINTEXT
    found = [
        Finding(
            rule,
            lint.lint_kind,
            lint.span.start,
            lint.span.end,
            lint.message,
            [_replacement(lint, suggestion) for suggestion in lint.suggestions],
        )
        for rule, lints in linter.organized_lints(request.text, language=language).items()
        for lint in lints
    ]
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.rule))


def _replacement(lint: Any, suggestion: Any) -> str:
    """What the problem's text is replaced with, whole."""
    if suggestion.kind == harper.SuggestionKind.INSERT_AFTER:
        return f"{lint.problem_text}{suggestion.replacement_text}"
    return str(suggestion.replacement_text)  # empty where it is to be removed


if __name__ == "__main__":
    main()
