"""What may be done with polls, and by whom."""

from insula.access import Scope

READ = "polls:read"
VOTE = "polls:vote"
WRITE = "polls:write"
MANAGE = "polls:manage"

SCOPES = (
    Scope(READ, "List polls, see results as far as a poll shows them", ("admin", "member")),
    Scope(VOTE, "Vote in polls that ask for users", ("admin", "member", "customer")),
    Scope(WRITE, "Create polls and run them", ("admin", "member")),
    Scope(MANAGE, "Run, moderate and export the polls of others", ("admin",)),
)
