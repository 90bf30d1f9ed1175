"""Front matter is kept to the byte, read without surprises, and changed where it must be."""

import time
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from insula.markdown.front_matter import FRONT_MATTER_LIMIT, read_properties, split_text
from insula.markdown.tags import clean_tag
from insula_tenants.notes.front_matter_edit import with_tags, with_title


@pytest.mark.parametrize(
    ("text", "front_matter"),
    [
        ("---\ntitle: a\n---\nbody", "---\ntitle: a\n---\n"),
        ("\ufeff---  \r\ntitle: a\r\n---\t\r\n\r\nbody", "\ufeff---  \r\ntitle: a\r\n---\t\r\n"),
        ("---\rtitle: a\r---\rbody", "---\rtitle: a\r---\r"),
        ("---\ntitle: a\n---", "---\ntitle: a\n---"),
        ("---\n---\nbody", "---\n---\n"),
        ("---\n# only a comment\n---\nbody", "---\n# only a comment\n---\n"),
        ("---\nbroken: [\n---\nbody", "---\nbroken: [\n---\n"),
        ("\ufeffbody", "\ufeff"),
        ("---\nWords between rulers\n---\nbody", ""),
        ("---\n- a\n- b\n---\nbody", ""),
        ("---\ntitle: never closed\n", ""),
        (" ---\ntitle: a\n---\n", ""),
        ("\n---\ntitle: a\n---\n", ""),
        ("----\ntitle: a\n----\n", ""),
        ("---\ntitle: a\n ---\n", ""),
        ("", ""),
    ],
)
def test_the_block_is_split_off_exactly(text: str, front_matter: str) -> None:
    assert split_text(text) == (front_matter, text[len(front_matter) :])


@pytest.mark.parametrize("room", [-2, -1, 0, 1])
def test_a_block_has_a_bounded_size(room: int) -> None:
    comment = "#" * (FRONT_MATTER_LIMIT - len("---\n\n---\n") + room)
    text = f"---\n{comment}\n---\nbody"
    assert bool(split_text(text)[0]) == (room <= 0)


@pytest.mark.parametrize(
    ("block", "title"),
    [
        ("title: A title", "A title"),
        ("Title: A", "A"),
        ("title: 'it''s'", "it's"),
        ("title: 007", "007"),
        ("title: yes", "yes"),
        ("title: 2024-01-02", "2024-01-02"),
        ("title: >\n  long\n  one", "long one"),
        ("title: a # comment", "a"),
        ("title:", ""),
        ("title: ~", ""),
        ("title: null", ""),
        ('title: "null"', "null"),
        ("title: [a, b]", ""),
        ("title: {a: b}", ""),
        ("title: {{title}}", ""),
        ("title: a\ntitle: b", "b"),
        ("title: !!python/object/apply:os.system [id]", "id"),
    ],
)
def test_titles_are_text_whatever_yaml_makes_of_them(block: str, title: str) -> None:
    assert read_properties(f"---\n{block}\n---\n").title == title


@pytest.mark.parametrize(
    ("block", "tags"),
    [
        ("tags: [a, 'b c', 2024]", ("a", "b c", "2024")),
        ("tags:\n  - a\n  - '#b'\n  -\n  - ~", ("a", "b")),
        ("tags:\n- a\n- A", ("a",)),
        ("tags: a, b c", ("a", "b", "c")),
        ("tag: a", ("a",)),
        ("tags:", ()),
        ("tags: {a: b}", ()),
        ("tags: [[a], b]", ("b",)),
    ],
)
def test_tags_are_a_list_or_words(block: str, tags: tuple[str, ...]) -> None:
    assert read_properties(f"---\n{block}\n---\n").tags == tags


def test_aliases_and_dates_are_read() -> None:
    properties = read_properties(
        "---\naliases: [One, Two]\ncreated: 2024-02-03\nmodified: 2024-02-03T10:00:00+02:00\n---\n"
    )
    assert properties.aliases == ("One", "Two")
    assert properties.created == datetime(2024, 2, 3, tzinfo=UTC)
    assert properties.updated == datetime(2024, 2, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize("written", ["soon", "2024-13-01", "0001-01-01T00:00:00+14:00", "{{date}}"])
def test_what_is_no_date_is_none(written: str) -> None:
    assert read_properties(f"---\ncreated: '{written}'\n---\n").created is None


@pytest.mark.parametrize(
    ("block", "warning"),
    [
        ("a: 1\ntitle: b: c", "line 3: mapping values are not allowed in this context"),
        ("? [a]\n: b", "line 2: a key that is not a word"),
        ("a: &x [1]\nb: *x", "line 3: aliases are not supported"),
        ("a: " + "[" * 40 + "]" * 40, "nested more than 32 deep"),
        ("a: \x07", "unacceptable character #x0007"),
        ("a: b\n...\nc: d", "did not find expected <document start>"),
        ("\ttitle: a", "line 2: found character that cannot start any token"),
    ],
)
def test_a_bad_block_is_kept_and_says_what_is_wrong(block: str, warning: str) -> None:
    text = f"---\n{block}\n---\nbody"
    front_matter, body = split_text(text)
    assert body == "body"
    assert warning in read_properties(front_matter).warning


@pytest.mark.parametrize(
    "block",
    ["a: " + "[" * 60_000, "{a: " * 16_000, "[a" * 30_000, "? " * 30_000, "k: v\n" * 10_000,
     "a: &a\n" * 10_000, "a: \"" + "\\x41" * 16_000, "a:\n" + " - b\n" * 12_000, "a\n" * 30_000]
)  # fmt: skip
def test_a_hostile_block_is_read_in_bounded_time(block: str) -> None:
    started = time.process_time()
    read_properties(f"---\n{block}\n---\n")
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "---\ntitle: New\n---\n"),
        ("\ufeff", "\ufeff---\ntitle: New\n---\n"),
        ("---\n---\n", "---\ntitle: New\n---\n"),
        ("---\n# c\na: 1\n---\n", "---\n# c\na: 1\ntitle: New\n---\n"),
        ("---\ntitle: Old # c\na: 1\n---\n", "---\ntitle: New # c\na: 1\n---\n"),
        ("---\ntitle:\na: 1\n---\n", "---\ntitle: New\na: 1\n---\n"),
        ("---\r\ntitle: \"Old\"\r\n---  \r\n", "---\r\ntitle: New\r\n---  \r\n"),
        ("---\r\na: 1\r\n---\r\n", "---\r\na: 1\r\ntitle: New\r\n---\r\n"),
        ("---\ntitle: |\n  Old\n  one\na: 1\n---", "---\ntitle: New\na: 1\n---"),
        ("---\n  a: 1\n---\n", "---\n  a: 1\n  title: New\n---\n"),
        ("---\ntitle:\n- a\n- b\nk: v\n---\n", "---\ntitle: New\nk: v\n---\n"),
        ("---\ntitle: [a,\n  b]\n---\n", "---\ntitle: New\n---\n"),
        ("---\na: [\n---\n", "---\n# a: [\ntitle: New\n---\n"),
        ("---\n{a: 1}\n---\n", "---\n# {a: 1}\ntitle: New\n---\n"),
    ],
)  # fmt: skip
def test_setting_the_title_leaves_the_rest_as_it_was(before: str, after: str) -> None:
    assert with_title(before, "New") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tags: [a]", "tags: [x, y z]"),
        ("tags: a b", "tags: [x, y z]"),
        ("tags:\n  - a # c\n  - b\n\n# d\nk: v", "tags:\n  - x\n  - y z\n\n# d\nk: v"),
        ("tags:\n- a\nk: v", "tags:\n- x\n- y z\nk: v"),
        ("tags:\nk: v", "tags: [x, y z]\nk: v"),
        ("k: v", "k: v\ntags: [x, y z]"),
    ],
)
def test_setting_tags_keeps_the_style_of_the_list(before: str, after: str) -> None:
    assert with_tags(f"---\n{before}\n---\n", ["x", "y z"]) == f"---\n{after}\n---\n"


def test_new_blocks_end_their_lines_as_asked() -> None:
    assert with_title("", "New", "\r\n") == "---\r\ntitle: New\r\n---\r\n"


_LINES = st.sampled_from(
    ["title: old", "title: 'old'", "title:", "title: [a, b]", "title: |", "title: >-", "  folded",
     "tags: a b", "tags:", "  - one", "- two", "  - 'three' # c", "tags: [x, \"y\"]", "# comment",
     "", "k: v", "k: {a: b}", "aliases:", "broken", "b: [", "  - n: m", "'title': q", "é😀: ü"]
)  # fmt: skip
_BLOCKS = st.builds(
    lambda lines, end: f"---{end}{''.join(line + end for line in lines)}---{end}",
    st.lists(_LINES, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
)
_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(
    lambda name: " ".join(name.split())
)


@given(_BLOCKS, _NAMES.filter(bool), st.lists(_NAMES.map(clean_tag).filter(bool), max_size=4))
def test_what_is_set_is_read_back_and_the_rest_kept(
    block: str, title: str, tags: list[str]
) -> None:
    front_matter, _ = split_text(block)
    before = read_properties(front_matter)
    after = with_title(with_tags(front_matter, tags), title)
    properties = read_properties(after)
    assert properties.title == title
    assert [tag.casefold() for tag in properties.tags] == list(
        dict.fromkeys(tag.casefold() for tag in tags)
    )
    assert not properties.warning
    if not before.warning:
        assert properties.aliases == before.aliases
    assert split_text(after + "body") == (after, "body")


@given(_NAMES.filter(bool), st.lists(_NAMES.filter(bool), min_size=1, max_size=4))
def test_other_readers_understand_what_is_written(title: str, tags: list[str]) -> None:
    inner = with_tags(with_title("", title), tags).split("---\n")[1]
    assert yaml.safe_load(inner) == {"title": title, "tags": tags}


@given(st.text(st.sampled_from("-: \n\r\t\ufeff#[]{}'\"&*!|>ab\0\x85\u2028"), max_size=60))
def test_any_text_is_its_front_matter_and_body(text: str) -> None:
    for prefix in ("", "---\n", "---\na: b\n---\n"):
        whole = prefix + text
        front_matter, body = split_text(whole)
        assert front_matter + body == whole
        read_properties(front_matter)
