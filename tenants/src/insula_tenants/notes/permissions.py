"""What may be done with notes, and by whom."""

from insula.access import Scope

READ = "notes:read"
WRITE = "notes:write"

SCOPES = (
    Scope(READ, "Read notes", ("admin", "member")),
    Scope(WRITE, "Write, share and delete notes", ("admin", "member")),
)
