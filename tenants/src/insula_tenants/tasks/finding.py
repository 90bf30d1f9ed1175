"""What people find of tasks in ``GET /api/v1/search``."""

from insula.search import CALLER, SearchSource
from sqlalchemy import bindparam, exists, or_, select

from insula_tenants.tasks.permissions import READ
from insula_tenants.tasks.tables import Member, Project, Task

_SEEN = select(Project.id).where(
    Project.archived_at.is_(None),
    or_(
        Project.visibility == "tenant",
        exists().where(Member.project_id == Project.id, Member.user_id == bindparam(CALLER)),
    ),
)
SEARCH = (
    SearchSource(
        kind="tasks.task",
        key=Task.id,
        title=Task.title,
        text=Task.notes,
        right=READ,
        url="/api/v1/tasks/{id}",
        where=Task.project_id.in_(_SEEN),
    ),
)
