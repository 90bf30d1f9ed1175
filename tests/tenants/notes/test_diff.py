"""Diffs are right always, shortest where affordable, and bounded."""

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula.markdown.diff import LINES_LIMIT, TextDiff, diff_texts, unified_diff


def _applied(old: str, diff: TextDiff) -> str:
    """The new text by a reader that believes the hunks' numbers alone."""
    old_lines = _split(old)
    result: list[str] = []
    position = 0
    for hunk in diff.hunks:
        start = hunk.old_start - (1 if hunk.old_count else 0)
        result += old_lines[position:start]
        assert len(result) + (1 if hunk.new_count else 0) == hunk.new_start
        removed = [line.text for line in hunk.lines if line.kind != "insert"]
        assert old_lines[start : start + hunk.old_count] == removed
        result += [line.text for line in hunk.lines if line.kind != "delete"]
        position = start + hunk.old_count
    return "".join(result + old_lines[position:])


def _patched(old: str, patch: str) -> str:
    """The new text by a reader of unified diffs."""
    source, result, position, sign = _split(old), [], 0, ""
    for line in _split(patch)[2:]:
        if line.startswith("@@"):
            start, _, count = line.split()[1][1:].partition(",")
            begin = int(start) - (0 if count == "0" else 1)
            result += source[position:begin]
            position = begin
        elif line.startswith("\\"):
            if sign in {" ", "+"}:
                result[-1] = result[-1].removesuffix("\n")
        else:
            sign = line[0]
            position += sign in {" ", "-"}
            result += [line[1:]] if sign in {" ", "+"} else []
    return "".join(result + source[position:])


def _split(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _shortest_edit(old: list[str], new: list[str]) -> int:
    """Length of the shortest edit, by the textbook's table."""
    row = list(range(len(new) + 1))
    for i, left in enumerate(old, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(new, 1):
            above = row[j]
            row[j] = before if left == right else 1 + min(above, row[j - 1])
            before = above
    return row[-1]


_LINES = st.sampled_from(["a\n", "b\n", "c d\n", "c e\n", "\n", "\r\n", "\x0b\n"])
_TEXTS = st.lists(_LINES, max_size=30).map("".join)
_ENDS = st.sampled_from(["", "a", "last line"])


@given(_TEXTS, _ENDS, _TEXTS, _ENDS)
def test_a_diff_leads_from_the_old_to_the_new(old: str, end: str, new: str, new_end: str) -> None:
    old, new = old + end, new + new_end
    diff = diff_texts(old, new)
    assert _applied(old, diff) == new
    assert _patched(old, unified_diff(old, new, "old", "new")) == new
    assert diff.added + diff.removed == _shortest_edit(_split(old), _split(new))
    assert diff.exact


@given(_TEXTS, _TEXTS)
def test_spans_are_the_lines_and_agree_on_what_is_equal(old: str, new: str) -> None:
    for hunk in diff_texts(old, new).hunks:
        for line in hunk.lines:
            assert not line.spans or "".join(span.text for span in line.spans) == line.text
            assert {span.kind for span in line.spans} <= {line.kind, "equal"}


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_have_a_diff(old: str, new: str) -> None:
    assert _applied(old, diff_texts(old, new)) == new


def test_equal_texts_have_none() -> None:
    assert diff_texts("a\n", "a\n").hunks == ()
    assert unified_diff("a\n", "a\n", "x", "y") == ""


def test_a_unified_diff_is_the_one_of_diff() -> None:
    old = "".join(f"{n}\n" for n in range(1, 21))
    new = old.replace("3\n", "three\n", 1).replace("20\n", "20")
    assert unified_diff(old, new, "old.md", "new.md") == (
        "--- old.md\n+++ new.md\n"
        "@@ -1,6 +1,6 @@\n 1\n 2\n-3\n+three\n 4\n 5\n 6\n"
        "@@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n"
    )


def test_words_that_changed_are_marked() -> None:
    removed, added = diff_texts("The quick fox.\n", "The slow fox.\n").hunks[0].lines
    assert [(span.kind, span.text) for span in removed.spans] == [
        ("equal", "The "),
        ("delete", "quick"),
        ("equal", " fox.\n"),
    ]
    assert [(span.kind, span.text) for span in added.spans] == [
        ("equal", "The "),
        ("insert", "slow"),
        ("equal", " fox.\n"),
    ]


def test_lines_with_nothing_in_common_are_marked_whole() -> None:
    assert all(not line.spans for line in diff_texts("one, two\n", "three, four\n").hunks[0].lines)


_RANDOM = Random(7)
_NUMBERS = [f"line {number}\n" for number in range(60_000)]
_HOSTILE = {
    "few different lines": (
        "".join(_RANDOM.choices(["a\n", "b\n"], k=500_000)),
        "".join(_RANDOM.choices(["a\n", "b\n"], k=500_000)),
    ),
    "shuffled": ("".join(_NUMBERS), "".join(_RANDOM.sample(_NUMBERS, len(_NUMBERS)))),
    "reversed": ("".join(_NUMBERS), "".join(reversed(_NUMBERS))),
    "empty lines": ("\n" * 1_000_000, "a\n" * 500_000),
    "long lines": (("a b" * 1600 + "\n") * 200, ("a c" * 1600 + "\n") * 200),
    "one line": ("ab " * 330_000, "ac " * 330_000),
    "nothing alike": ("a\n" * 500_000, "b\n" * 500_000),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_work_is_bounded(name: str) -> None:
    old, new = _HOSTILE[name]
    started = time.process_time()
    diff = diff_texts(old, new)
    assert time.process_time() - started < 4
    assert sum(len(hunk.lines) for hunk in diff.hunks) <= LINES_LIMIT
    if not diff.truncated:
        assert _applied(old, diff) == new


def test_a_coarse_diff_is_right_and_says_so() -> None:
    old, new = _HOSTILE["few different lines"]
    diff = diff_texts(old, new)
    assert (diff.exact, diff.truncated) == (False, True)
    assert _patched(old, unified_diff(old, new, "a", "b")) == new


def test_small_changes_to_a_large_text_are_exact() -> None:
    new = [line.replace("line", "row") if n % 100 == 0 else line for n, line in enumerate(_NUMBERS)]
    diff = diff_texts("".join(_NUMBERS), "".join(new))
    assert (diff.exact, diff.added, diff.removed) == (True, 600, 600)
