"""Tasks are found, and ticking one changes its character and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insula_tenants.notes.tasks import TaskNotFound, set_task, tasks


def test_tasks_have_number_line_state_and_text() -> None:
    body = (
        "x\n\n- [ ] a *b* `c` [d](e)\n  - [x] two\n    lines\n\n1. [X] three\n\n- [/] no\n- [ ]no\n"
    )
    found = [(task.number, task.line, task.done, task.text) for task in tasks(body)]
    assert found == [
        (1, 3, False, "a b c d"),
        (2, 4, True, "two lines"),
        (3, 7, True, "three"),
    ]


@pytest.mark.parametrize(
    ("body", "number", "expected"),
    [
        ("- [ ] a\n- [ ] b\n", 2, "- [ ] a\n- [x] b\n"),
        ("- [ ] a\r\n- [ ] b\r\n", 1, "- [x] a\r\n- [ ] b\r\n"),
        ("a\r- [ ] b", 1, "a\r- [x] b"),
        ("- - [ ] a\n", 1, "- - [x] a\n"),
        ("-\n  [ ] a\n", 1, "-\n  [x] a\n"),
        ("> 1) [ ] a [ ] b\n", 1, "> 1) [x] a [ ] b\n"),
        (">\t-\t[ ] é\n", 1, ">\t-\t[x] é\n"),
        ("- [ ] \n  - [ ] b\n", 2, "- [ ] \n  - [x] b\n"),
        ("```\n- [ ] a\n```\n- [ ] b", 1, "```\n- [ ] a\n```\n- [x] b"),
        ("- [ ] one\n\n  text\n\n- [ ] two", 2, "- [ ] one\n\n  text\n\n- [x] two"),
        ("[[x|- [ ] y]]\n\n* [ ] z", 1, "[[x|- [ ] y]]\n\n* [x] z"),
    ],
)
def test_ticking_changes_one_character(body: str, number: int, expected: str) -> None:
    ticked = set_task(body, number, done=True)
    assert ticked == expected
    assert set_task(ticked, number, done=False) == body


def test_a_task_in_the_wanted_state_is_left_alone() -> None:
    assert set_task("- [X] a", 1, done=True) == "- [X] a"


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
def test_there_is_no_such_task(number: int) -> None:
    with pytest.raises(TaskNotFound, match="1 tasks"):
        set_task("- [ ] a", number, done=True)


_LINES = st.sampled_from(
    ["- [ ] a", "- [x] b", "  - [ ] c", "    - [X] d", "> - [ ] e", "1. [ ] f", "* [ ]", "text", "",
     "```", "    [ ] g", "- - [ ] h", "-", "[ ]: x", "| a |", "|---|", "- [ ] [^1]",
     "[^1]: - [ ] i", "- a - [ ] b", "\t- [ ] j", "+   [ ] k", "- [ ] # l", "- > [ ] m",
     "-\t[ ]\tn"]
)  # fmt: skip


@given(st.lists(_LINES, max_size=12), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_any_task_can_be_ticked_and_nothing_else_changes(
    lines: list[str], newline: str, data: st.DataObject
) -> None:
    body = newline.join(lines)
    before = tasks(body)
    if not before:
        return
    chosen = data.draw(st.sampled_from(before))
    after = set_task(body, chosen.number, done=not chosen.done)
    changed = [(old, new) for old, new in zip(body, after, strict=True) if old != new]
    assert [(old.lower(), new) for old, new in changed] in ([(" ", "x")], [("x", " ")])
    assert [task.done != old.done for task, old in zip(tasks(after), before, strict=True)] == [
        task is chosen for task in before
    ]
