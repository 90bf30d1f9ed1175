"""Names of members, and of things in SQL."""

from uuid import UUID

MANIFEST = "manifest.json"
GONE = "gone.txt"
"""Files that were deleted for good while the archive was being written: their ids, one a line."""


def rows_name(module: str, table: str, number: int) -> str:
    return f"tables/{module}/{table}/{number:06}.ndjson"


def file_name(file_id: UUID) -> str:
    return f"files/{file_id}"


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"


# How values are written as text, whatever server and login say.
PLAIN_VALUES = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; "
    "SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL bytea_output = 'hex';"
)
