"""What may be done with the blog, and by whom. Reading what is published needs no right, commenting
and following needs an account."""

from insula.access import Scope

WRITE = "blog:write"
MANAGE = "blog:manage"

SCOPES = (
    Scope(WRITE, "Write and publish articles of one's own", ("admin", "member")),
    Scope(MANAGE, "Change everybody's articles, moderate, import and export", ("admin",)),
)
