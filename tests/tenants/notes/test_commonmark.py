"""The renderer against the examples of the specification, before anything is sanitised."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from insula.markdown.dialect import render

_SPEC = Path(__file__).parents[2] / "fixtures" / "commonmark" / "spec-0.31.2.json"
_EXAMPLES: list[dict[str, Any]] = json.loads(_SPEC.read_text(encoding="utf-8"))

_OURS = {
    559: "[[…]] is a wikilink",
    590: "[[…]] is a wikilink",
    602: "GitHub links bare addresses",
    608: "GitHub links bare addresses",
    611: "GitHub links bare addresses",
    612: "GitHub links bare addresses",
}


def _commonmark(markdown: str) -> str:
    rendering = render(markdown)
    assert rendering is not None
    plain = re.sub(r' data-sourcepos="[^"]*"', "", rendering.raw_markup)
    return re.sub(r"<span data-escaped-char>(.*?)</span>", r"\1", plain).strip()


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda example: str(example["number"]))
def test_example_of_the_specification(example: dict[str, Any]) -> None:
    differs = _commonmark(example["markdown"]) != example["html"].strip()
    assert differs == (example["number"] in _OURS)


def test_all_examples_are_there() -> None:
    assert [example["number"] for example in _EXAMPLES] == list(range(1, 653))
