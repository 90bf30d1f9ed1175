"""What the stored HTML looks like, and that nothing in it runs, whatever was written."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula.markdown.safe_html import slug
from insula_tenants.notes.markdown import read_markdown

_REL = 'rel="nofollow noopener noreferrer"'


def html(body: str) -> str:
    return read_markdown(body).html.strip()


class _Judge(HTMLParser):
    """Collects what could run, load or reach out of the note; another parser than the cleaner's."""

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "iframe", "object", "embed", "form", "svg", "math", "base",
                   "link", "meta", "template", "button", "textarea", "select"}:  # fmt: skip
            self.complaints.append(tag)
        values = dict(attributes)
        for name, value in attributes:
            if name.startswith("on") or name in {"style", "srcset", "formaction", "target"}:
                self.complaints.append(name)
            schemes = {"", "http", "https", "mailto", "tel"}
            if name in {"href", "src"} and _scheme(value or "") not in schemes:
                self.complaints.append(f"{name}={value}")
            if name == "id" and not (value or "").startswith(("h-", "fn-", "fnref-")):
                self.complaints.append(f"id={value}")
        if tag == "a" and "noopener" not in (values.get("rel") or ""):
            self.complaints.append("a without rel")
        if tag == "input" and (values.get("type"), values.get("disabled")) != ("checkbox", ""):
            self.complaints.append("a live input")


def _scheme(url: str) -> str:
    return urlsplit("".join(sign for sign in url if sign > " ")).scheme


def complaints(markup: str) -> list[str]:
    judge = _Judge()
    judge.feed(markup)
    judge.close()
    return judge.complaints


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a ~~b~~ **c**", "<p>a <del>b</del> <strong>c</strong></p>"),
        ("a ==b==", "<p>a <mark>b</mark></p>"),
        ("H<sub>2</sub>O<br>x", "<p>H<sub>2</sub>O<br>x</p>"),
        ("# Ein Überblick!", '<h1 id="h-ein-überblick">Ein Überblick!</h1>'),
        ("```c++ x\na\n```", '<pre><code class="language-c++">a\n</code></pre>'),
        ("`a` <!-- b --> c", "<p><code>a</code>  c</p>"),
        ("$x_1$", '<p><span data-math-style="inline">x_1</span></p>'),
        ("[a](b.pdf)", f'<p><a href="b.pdf" {_REL}>a</a></p>'),
        ("https://a.example/b", f'<p><a href="https://a.example/b" {_REL}>https://a.example/b</a></p>'),
        (r"\#a \![b]", "<p>#a ![b]</p>"),
    ],
)  # fmt: skip
def test_markdown_becomes_html(body: str, expected: str) -> None:
    assert html(body) == expected


def test_tables_keep_their_alignment() -> None:
    table = html("| a | b |\n|:-:|--:|\n| 1 | 2 |")
    assert '<th align="center">a</th>' in table
    assert '<td align="right">2</td>' in table
    assert table.startswith("<table>")


def test_headings_of_the_same_words_get_different_ids() -> None:
    markup = html("# A\n\n# a-1\n\n# A\n\n# *A*")
    assert [line.split('"')[1] for line in markup.split("\n") if line] == [
        "h-a",
        "h-a-1",
        "h-a-2",
        "h-a-3",
    ]


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("Hello, World!", "hello-world"), ("a_b - c", "a_b---c"), ("मराठी ٣", "मराठी-٣"), ("!?", "")],
)
def test_slugs_are_those_of_github(heading: str, expected: str) -> None:
    assert slug(heading) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[[A b]]", f'<a class="wikilink" data-note="A b" {_REL}>A b</a>'),
        ("[[A|b & c]]", f'<a class="wikilink" data-note="A" {_REL}>b &amp; c</a>'),
        ("[[A#B c]]", f'<a class="wikilink" data-note="A" data-heading="B c" {_REL}>A#B c</a>'),
        (
            "[[#B c]]",
            f'<a class="wikilink" href="#h-b-c" data-note="" data-heading="B c" {_REL}>#B c</a>',
        ),
        ("[a](Y%20.md#q)", f'<a class="wikilink" data-note="Y .md" data-heading="q" {_REL}>a</a>'),
        ("![[p.png|300]]", f'<a class="wikilink embed" data-note="p.png" {_REL}>p.png</a>'),
        ("![[A|see]]", f'<a class="wikilink embed" data-note="A" {_REL}>see</a>'),
        ('[["<b>]]', f'<a class="wikilink" data-note="&quot;&lt;b&gt;" {_REL}>"&lt;b&gt;</a>'),
    ],
)  # fmt: skip
def test_links_between_notes_are_marked(body: str, expected: str) -> None:
    assert html(body) == f"<p>{expected}</p>"


def test_embeds_in_code_stay_text() -> None:
    assert html("`![[a]]` ![[b]]").startswith("<p><code>![[a]]</code> <a class=")
    assert "wikilink" not in html("```\n![[a]]\n```")


def test_tasks_carry_their_line_and_a_dead_checkbox() -> None:
    assert html("x\n\n- [ ] a\n- [x] b").split("\n")[2:4] == [
        '<li class="task" data-line="3"><input type="checkbox" disabled=""> a</li>',
        '<li class="task" data-line="4"><input type="checkbox" checked="" disabled=""> b</li>',
    ]


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "a <script>alert(1)",
        "<style>*{display:none}</style>",
        "<img src=x onerror=alert(1)>",
        '<a href="jav&#x09;ascript:alert(1)">a</a>',
        "[a](javascript:alert(1)) [b](JaVaScRiPt:alert(1)) [c](vbscript:x)",
        "![a](data:image/svg+xml;base64,PHN2Zz4=)",
        "[[javascript:alert(1)]]",
        '<a class="wikilink" href="javascript:alert(1)" data-note="x">a</a>',
        '<form action="//x"><input type=submit name=a><button>b</button></form>',
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<p style='position:fixed'>a</p>",
        "<div id=main class=modal>a</div>",
        "<base href=//x><meta http-equiv=refresh content=0><link rel=stylesheet href=//x>",
        "<a id='fn-x' name=y target=_blank ping=//x href=//x.example>a</a>",
        '# <img src=x onerror=alert(1)>\n\n[[a|<img src=x onerror=alert(1)>]]',
        '```"onload=alert(1)\na\n```',
        "![[<img src=x onerror=alert(1)>]]",
        "<template><img src=x onerror=alert(1)></template>",
        '<li data-sourcepos="1:1"><input type="checkbox" onfocus=alert(1) autofocus>',
    ],
)  # fmt: skip
def test_nothing_hostile_survives(body: str) -> None:
    assert complaints(html(body)) == []


def test_scripts_and_styles_go_with_what_is_in_them() -> None:
    assert html("a <script>b</script> c <style>d</style> e") == "<p>a  c  e</p>"


@pytest.mark.parametrize("tag", ["script", "style", "textarea", "title", "xmp", "select", "svg"])
def test_an_element_left_open_does_not_swallow_the_rest(tag: str) -> None:
    assert html(f"a <{tag}> b\n\nc").endswith("<p>c</p>")


_PIECES = st.sampled_from(
    ["<", ">", '"', "'", "=", "/", " ", "\n", "\n\n", "script", "<script>", "</script>", "img ",
     "<img src=", " onerror=", "alert(1)", "javascript:", "data:text/html,", "<a href=", "<svg>",
     "<math>", "<style>", "</style>", "<!--", "-->", "<![CDATA[", "]]>", "[a](", "[[", "]]", "![[",
     "|", "#", "`", "```", "    ", "> ", "- ", "- [ ] ", "&#", "&lt;", "x", ";", "\\", "</p>",
     "<table>", "<td>", "<p ", "<b>", "</b>", "<div>", "</div>", "<textarea>", "<noscript>",
     ' data-sourcepos="1:1"', "$", "==", "~~", "[^1]", "[^1]: ", "\t", "é", "\x0c"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_nothing_hostile_survives_in_any_mix(body: str) -> None:
    assert complaints(read_markdown(body).html) == []


@given(st.text(max_size=200))
def test_any_text_renders(body: str) -> None:
    assert complaints(read_markdown(body).html) == []
