"""What may be done with tasks, and by whom.

A scope opens the module; which projects somebody sees and changes is a matter of their membership:
see :mod:`insula_tenants.tasks.service.standing`.
"""

from insula.access import Scope

READ = "tasks:read"
WRITE = "tasks:write"
LINK = "tasks:link"

SCOPES = (
    Scope(READ, "Read the tasks of the projects that one sees", ("admin", "member")),
    Scope(WRITE, "Create, change and complete tasks", ("admin", "member")),
    Scope(LINK, "Open a project to Todo-Backend clients without an account", ("admin",)),
)
