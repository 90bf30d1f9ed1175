"""A megabyte of anything renders in bounded time; the source is shown where it is not worth it."""

import re
import subprocess
import sys
import time
from html import unescape

import pytest
from insula_tenants.notes.markdown import BODY_LIMIT, read_markdown


def _fill(pattern: str) -> str:
    return (pattern * (BODY_LIMIT // len(pattern) + 1))[:BODY_LIMIT]


_LINEAR = {
    "brackets": _fill("["),
    "brackets closed": "[" * (BODY_LIMIT // 2) + "]" * (BODY_LIMIT // 2),
    "wikilinks open": _fill("[[a"),
    "emphasis": _fill("*a **a "),
    "ampersands": _fill("&"),
    "less than": _fill("<"),
    "tags": _fill("#ab "),
    "embeds open": _fill("![[a"),
    "link destinations": _fill("[a](<b"),
    "prose": _fill("The *quick* [fox](https://a.example/b) and #tag [[Note]].\n\n"),
    "tildes and marks": _fill("~~==a"),
    "footnotes": "[^1] " * 60_000 + "\n\n[^1]: a",
    "open elements": "<div>\n\n" * 6_000 + "a\n\n" * 80_000,
    "open formatting": "".join(f"<p><b title={n}>" for n in range(700)) + "\n\na" * 90_000,
    "many attributes": f"a <b {' '.join(f'a{n}=x' for n in range(90_000))}>",
    "text in a table": "<table>\n\n" + "a<br>\n\n" * 60_000,
    "addresses": _fill("b a@b.example "),
    "addresses in lines": _fill("b a@b.example\n"),
    "bare links": _fill("<http://a.b)"),
    "same headings": "# a\n" * 49_000 + "# a-1\n" * 20_000,
}
_PLAIN = {
    "quotes": _fill(">"),
    "quotes apart": _fill("> "),
    "nested bullets": _fill("+ - "),
    "deep steps": "".join(" " * 98 * n + "- " * 49 + "a\n" for n in range(140)),
    "nested emphasis": "*" * 400 + "a" + "*" * 400,
    "checkboxes": _fill("- [ ] a\n"),
    "dense emphasis": _fill("*a*"),
}


@pytest.mark.parametrize("name", _LINEAR)
def test_it_renders_in_bounded_time(name: str) -> None:
    started = time.process_time()
    document = read_markdown(_LINEAR[name])
    assert time.process_time() - started < 3
    assert not document.plain


@pytest.mark.parametrize("name", _PLAIN)
def test_it_is_shown_as_written_where_too_deep_or_dense(name: str) -> None:
    started = time.process_time()
    document = read_markdown(_PLAIN[name])
    assert time.process_time() - started < 3
    assert document.plain
    shown = re.fullmatch("<pre>(.*)</pre>", document.html, re.DOTALL)
    assert shown
    assert unescape(shown[1]) == _PLAIN[name]


@pytest.mark.parametrize(
    "body", ["-" * 200, "* " * 100, "> " * 20 + "a", "- a\n" * 1000, "=" * 300, "+" * 300]
)
def test_ordinary_rulers_and_lists_are_rendered(body: str) -> None:
    assert not read_markdown(body).plain


def test_raw_html_that_costs_too_much_is_left_out_and_the_rest_shown() -> None:
    document = read_markdown("<div>\n\n" * 9_000 + "*a*\n\n" * 9_000)
    assert "<div>" not in document.html
    assert document.html.count("<em>a</em>") == 9_000


_ON_A_SMALL_STACK = """
import sys, threading
from insula_tenants.notes.markdown import read_markdown
threading.stack_size(256 * 1024)
thread = threading.Thread(target=read_markdown, args=(sys.stdin.read(),))
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    "pattern",
    ["b a@b.c ", "b a&#64;b.c ", "b a&#X0040;b.c ", "b a&commat;b.c ", "[", "*a **a ", "<div>\n\n"],
)
def test_no_text_ends_the_process(pattern: str) -> None:
    """comrak's e-mail links recurse: beyond a limit the process would die of a stack overflow."""
    ended = subprocess.run(
        [sys.executable, "-c", _ON_A_SMALL_STACK], input=_fill(pattern).encode(), check=False
    )
    assert ended.returncode == 0


def test_addresses_become_links() -> None:
    html = read_markdown("a@b.example, www.c.example\n" * 250).html
    assert html.count('href="mailto:a@b.example"') == 250
    assert html.count('href="http://www.c.example"') == 250
