"""Titles, and that an exported file says its note's title when it is read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula.markdown.front_matter import read_properties, split_text
from insula_tenants.notes.markdown import read_markdown
from insula_tenants.notes.titles import TITLE_LIMIT, clean_title, file_text, title_of


def _title(text: str, path: str | None = "folder/Stem.md") -> str:
    front_matter, body = split_text(text)
    return title_of(read_properties(front_matter), read_markdown(body).outline.heading, path)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: Front\n---\n# Heading", "Front"),
        ("---\ntitle: \n---\n# Heading", "Heading"),
        ("## Two\n\n# One", "One"),
        ("text", "Stem"),
        ("", "Stem"),
    ],
)
def test_a_title_comes_from_front_matter_heading_or_name(text: str, title: str) -> None:
    assert _title(text) == title


def test_a_note_without_any_is_untitled() -> None:
    assert _title("text", None) == "Untitled"


def test_a_title_is_one_short_line() -> None:
    assert clean_title(" a\n\tb\x00\x1b ") == "a b"
    assert len(clean_title("x" * 1000)) == TITLE_LIMIT


@pytest.mark.parametrize(
    ("front_matter", "body", "title", "expected"),
    [
        ("", "text", "Stem", "text"),
        ("", "text", "Other", "---\ntitle: Other\n---\ntext"),
        ("", "# One\r\ntext", "One", "# One\r\ntext"),
        ("", "# One\r\ntext", "Two", "---\r\ntitle: Two\r\n---\r\n# One\r\ntext"),
        ("---\ntitle: A\n---", "text", "A", "---\ntitle: A\n---\ntext"),
        ("", "---\na: b\n---\ntext", "Stem", "---\n---\n---\na: b\n---\ntext"),
    ],
)
def test_a_file_says_its_title_with_the_least_change(
    front_matter: str, body: str, title: str, expected: str
) -> None:
    heading = read_markdown(body).outline.heading
    text = file_text(front_matter, body, title=title, heading=heading, path="Stem.md")
    assert text == expected


_TEXTS = st.lists(
    st.sampled_from(
        [
            "---\n",
            "---\r\n",
            "title: a\n",
            "tags: [b]\n",
            "# H\n",
            "text",
            "\n",
            "\ufeff",
            "bad: [\n",
        ]
    ),
    max_size=7,
).map("".join)
_TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(_TEXTS)
def test_an_untouched_file_comes_out_as_it_went_in(text: str) -> None:
    front_matter, body = split_text(text)
    heading = read_markdown(body).outline.heading
    title = _title(text)
    assert file_text(front_matter, body, title=title, heading=heading, path="Stem.md") == text


@given(_TEXTS, _TITLES.map(clean_title).filter(bool), _TEXTS)
def test_an_edited_note_keeps_title_and_body_when_read_again(
    text: str, title: str, body: str
) -> None:
    front_matter, _ = split_text(text)
    body = body.removeprefix("\ufeff")
    heading = read_markdown(body).outline.heading
    written = file_text(front_matter, body, title=title, heading=heading, path="Stem.md")
    assert _title(written, "Stem.md") == title
    assert split_text(written)[1] == body
