"""Changing one property of a front matter and leaving everything else as it was written."""

import re
from collections.abc import Sequence

from insula.markdown.front_matter import Block, find_block
from insula.markdown.front_matter_yaml import Entry, FrontMatterError, read_entries

_PLAIN = re.compile(r"[^\W\d_](?:[\w ./()-]*[\w.)])?")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff\U0001fffe-\U0010ffff]"
)


def with_title(front_matter: str, title: str, newline: str = "\n") -> str:
    """The front matter saying ``title``; a block is made where there is none.

    A block that can't be read is kept as comments above the new line: nothing is lost.
    """
    return _with_property(front_matter, "title", [title], as_list=False, newline=newline)


def with_tags(front_matter: str, tags: Sequence[str], newline: str = "\n") -> str:
    """The front matter listing ``tags``; see ``with_title``."""
    return _with_property(front_matter, "tags", list(tags), as_list=True, newline=newline)


def _with_property(
    front_matter: str, key: str, values: list[str], *, as_list: bool, newline: str
) -> str:
    block = find_block(front_matter)
    if block is None:
        head = f"{front_matter}---{newline}"
        block = Block(f"{head}---{newline}", len(head), len(head))
    else:
        newline = _newline(block)
    inner = block.yaml
    changed = _changed(inner, key, values, as_list=as_list, newline=newline)
    if not _says(changed, key, values, inner):
        kept = "".join(f"# {line}" for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", inner) if line)
        changed = _appended(kept, key, _written(values, as_list), newline, indent=0)
    return block.text[: block.start] + changed + block.text[block.end :]


def _newline(block: Block) -> str:
    fence = block.text[: block.start]
    return fence[len(fence.rstrip("\r\n")) :]


def _changed(inner: str, key: str, values: list[str], *, as_list: bool, newline: str) -> str:
    written = _written(values, as_list)
    try:
        entries = list(read_entries(inner))
    except FrontMatterError:
        return ""
    found = [entry for entry in entries if entry.key == key]
    if not found:
        indent = _indent(inner, entries)
        return _appended(inner, key, written, newline, indent)
    entry = found[-1]  # YAML readers take the last of two
    if as_list and values and entry.is_list and entry.multiline:
        items = (f"- {_scalar(value)}" for value in values)
        written = f"{newline}{' ' * entry.column}".join(items)
        return inner[: entry.start] + written + inner[entry.end :]
    return _replaced(inner, entry, written)


def _replaced(inner: str, entry: Entry, written: str) -> str:
    """With ``written``, which fits on one line, as the value."""
    before, old = inner[: entry.start], inner[entry.start : entry.end]
    if before.rstrip().endswith(":"):  # a block list starts below its key
        before = before.rstrip() if entry.multiline else before
    kept = old[len(old.rstrip("\r\n")) :]  # a block scalar's span includes its last line break
    space = " " if before.endswith(":") else ""
    return before + space + written + kept + inner[entry.end :]


def _indent(inner: str, entries: list[Entry]) -> int:
    """Columns before the keys of the block: all of them have the same."""
    if not entries:
        return 0
    first = re.search(r"^( *)[^ #\r\n]", inner, re.MULTILINE)
    return len(first[1]) if first else 0


def _appended(inner: str, key: str, written: str, newline: str, indent: int) -> str:
    gap = "" if not inner or inner.endswith(("\n", "\r")) else newline
    return f"{inner}{gap}{' ' * indent}{key}: {written}{newline}"


def _written(values: list[str], as_list: bool) -> str:
    if as_list:
        return f"[{', '.join(_scalar(value) for value in values)}]"
    return _scalar(values[0])


def _scalar(value: str) -> str:
    """Plain where no reader of YAML 1.1 or 1.2 could take it for anything else, else quoted."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _UNPRINTABLE.sub(lambda found: rf"\U{ord(found[0]):08x}", escaped) + '"'


def _says(changed: str, key: str, values: list[str], before: str) -> bool:
    """Whether the new block reads as wanted, and all the rest as before."""
    try:
        entries = {entry.key: entry.values for entry in read_entries(changed)}
        others = {entry.key: entry.values for entry in read_entries(before)}
    except FrontMatterError:
        return False
    return entries == others | {key: tuple(values)}
