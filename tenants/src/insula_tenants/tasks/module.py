"""Tasks, as the platform sees them."""

from insula.module import Module

from insula_tenants.tasks import compat, demo, jobs, sockets, tables
from insula_tenants.tasks.events import EVENTS
from insula_tenants.tasks.finding import SEARCH
from insula_tenants.tasks.graphql import GRAPH
from insula_tenants.tasks.permissions import SCOPES
from insula_tenants.tasks.routes import ROUTES

MODULE = Module(
    name="tasks",
    title="Tasks",
    summary="Projects, subtasks, repeats, reminders and quick add; speaks Todo-Backend.",
    package=__package__,
    routes=ROUTES,
    scopes=SCOPES,
    tables=(
        tables.Project,
        tables.Member,
        tables.Task,
        tables.Completion,
        tables.Comment,
        tables.Reminder,
        tables.Label,
        tables.SavedFilter,
        tables.Link,
    ),
    events=EVENTS,
    jobs=jobs.JOBS,
    channels=sockets.CHANNELS,
    graphql=GRAPH,
    search=SEARCH,
    compat=(compat.ROUTER,),
    demo=demo.fill,
)
