"""Links, tags, tasks and headings as the rendered note has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula.archives.names import fold
from insula.markdown.tags import TAG_LIMIT, TAGS_LIMIT, clean_tag, distinct
from insula_tenants.notes.links import Link, link_key, note_keys
from insula_tenants.notes.markdown import read_markdown
from insula_tenants.notes.outline import LINKS_LIMIT, Outline


def outline(body: str) -> Outline:
    return read_markdown(body).outline


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        ("#a, (#no) x#no\n#b", ("a", "b")),
        ("#Projekt/Überblick #日本語 #हिन्दी", ("Projekt/Überblick", "日本語", "हिन्दी")),
        ("#1984 #y1984 #2024-01 #- #/", ("y1984", "2024-01")),
        ("# Heading #in-heading\n#no heading", ("in-heading", "no")),
        ("`#code` [#link](x) [[#wiki]] https://a.example/#frag", ()),
        ("    #indented\n\n```\n#fenced\n```", ()),
        (r"\#escaped &num;", ()),
        ("- #item\n- [ ] #task\n\n> #quote\n\n| #cell |\n|---|", ("item", "task", "quote", "cell")),
        ("*#em* a*#no* **b** #c", ("em", "c")),
        ("#a/ #a//b #a,b #c.", ("a", "a/b", "c")),
        ("#Tag #tag #TAG", ("Tag",)),
        ("<!-- #comment -->\n\n<div>#html</div>", ()),
        (f"#{'a' * TAG_LIMIT} #{'b' * (TAG_LIMIT + 1)}", ("a" * TAG_LIMIT,)),
        ("$#math$ ==#mark==", ("mark",)),
        ("a\\\n#after-break", ("after-break",)),
    ],
)
def test_tags_are_those_of_running_text(body: str, tags: tuple[str, ...]) -> None:
    assert outline(body).tags == tags


def test_composed_and_decomposed_tags_are_one() -> None:
    assert outline("#caf\u00e9 #cafe\u0301").tags == ("caf\u00e9",)


def test_a_note_has_a_bounded_number_of_tags() -> None:
    assert len(outline(" ".join(f"#t{n}" for n in range(TAGS_LIMIT + 10))).tags) == TAGS_LIMIT


@pytest.mark.parametrize(
    ("written", "tag"),
    [("#a", "a"), ("  to   do ", "to do"), ("C++", "C++"), ("a\x00b", ""), ("", "")],
)
def test_listed_tags_may_be_any_short_name(written: str, tag: str) -> None:
    assert clean_tag(written) == tag


def test_links_come_in_source_order_with_their_lines() -> None:
    body = (
        "[[One]] and [two](sub/Two%20b.md#Part)\n"
        "more ![[Three#^b|shown]] [x](https://a.example/x.md) `[[no]]`\n\n"
        "text[^1] [[Five|label]]\n\n"
        "[^1]: [[Four]]\n\n"
        "- [ ] [[Six]]\n"
    )
    found = [
        (link.line, link.kind, link.target, link.heading, link.text) for link in outline(body).links
    ]
    assert found == [
        (1, "wikilink", "One", "", "One"),
        (1, "markdown", "sub/Two b.md", "Part", "two"),
        (2, "embed", "Three", "^b", "shown"),
        (4, "wikilink", "Five", "", "label"),
        (6, "wikilink", "Four", "", "Four"),
        (8, "wikilink", "Six", "", "Six"),
    ]  # fmt: skip


def test_links_survive_crlf_tables_and_non_ascii() -> None:
    found = outline('a\r\n\r\n| [[Ä b\\|c]] |\r\n|---|\r\n| [[100% "x" & y]] |\r\n').links
    assert [(link.line, link.target) for link in found] == [(3, "Ä b"), (5, '100% "x" & y')]


@pytest.mark.parametrize(
    "body", ["[[]]", "[[ ]]", "[[|a]]", "![[]]", "[a](b.txt)", "[a](//b/c.md)"]
)
def test_what_names_no_note_is_no_link(body: str) -> None:
    assert outline(body).links == ()


def test_a_note_has_a_bounded_number_of_links() -> None:
    assert len(outline("[[a]]\n" * (LINKS_LIMIT + 10)).links) == LINKS_LIMIT


@pytest.mark.parametrize(
    ("body", "heading"),
    [
        ("## Two\n\n# The *first* `one` &amp; [l](x)\n\n# Other", "The first one & l"),
        ("Title\n=====", "Title"),
        ("> # quoted\n\n- # in a list\n\n# Own", "Own"),
        ("#\n\n# Second", "Second"),
        ("#no-space", ""),
        ("```\n# code\n```", ""),
    ],
)
def test_the_first_heading_of_level_one(body: str, heading: str) -> None:
    assert outline(body).heading == heading


def _link(target: str, kind: str = "wikilink") -> Link:
    return outline(f"[[{target}]]" if kind == "wikilink" else f"[x](<{target}>)").links[0]


@pytest.mark.parametrize(
    ("link", "source", "path", "found"),
    [
        (_link("Plan"), None, "work/2024/Plan.md", True),
        (_link("2024/plan.md"), None, "work/2024/Plan.md", True),
        (_link("work/plan"), None, "work/2024/Plan.md", False),
        (_link("lan"), None, "work/2024/Plan.md", False),
        (_link("STRASSE"), None, "Straße.md", True),
        (_link("Caf\u00e9"), None, "Cafe\u0301.md", True),
        (_link("../b.md", "markdown"), "x/y/a.md", "x/b.md", True),
        (_link("b.md", "markdown"), "x/a.md", "x/b.md", True),
        (_link("b.md", "markdown"), "x/a.md", "y/b.md", False),
        (_link("/y/b.md", "markdown"), "x/a.md", "y/b.md", True),
        (_link("../../../b.md", "markdown"), "x/a.md", "b.md", True),
        (_link("An alias"), None, "b.md", True),
        (_link("the  title"), None, "b.md", True),
    ],
)
def test_a_link_finds_the_note_it_names(
    link: Link, source: str | None, path: str, found: bool
) -> None:
    keys = note_keys(path, "The Title", ("an alias",))
    assert (link_key(link, source) in keys) == found


def test_keys_begin_with_the_most_certain() -> None:
    assert note_keys("a/b/C.md", "T") == ("a/b/c", "b/c", "c", "t")
    assert note_keys(None, "T") == ("t",)


@given(st.text(max_size=30))
def test_folding_is_stable(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@given(st.lists(st.text(min_size=1, max_size=5)))
def test_distinct_keeps_the_first_of_each(tags: list[str]) -> None:
    kept = distinct(tags)
    assert distinct(kept) == kept
    assert set(kept) <= set(tags)
    assert not tags or kept[0] == tags[0]
