"""Quick add: a sentence becomes a task, its names those of the tenant."""

from uuid import UUID

from insula.db import Work
from insula.http.problem import FieldError, InvalidInput

from insula_tenants.tasks import clock
from insula_tenants.tasks.queries import projects
from insula_tenants.tasks.quickadd.reading import Reading, read
from insula_tenants.tasks.schemas.around import QuickAdd
from insula_tenants.tasks.schemas.tasks import Task, TaskCreate
from insula_tenants.tasks.service.projects import inbox
from insula_tenants.tasks.service.tasks import create


def read_now(said: QuickAdd) -> Reading:
    """What the sentence says at this moment, where it was said.

    Raises:
        InvalidInput: there is no such zone.
    """
    try:
        return read(said.text, clock.local(clock.now(), said.zone))
    except clock.ZoneUnknown as error:
        raise InvalidInput(errors=(FieldError("/zone", str(error)),)) from error


async def add(tx: Work, said: QuickAdd, user_id: UUID) -> Task:
    """Make the task. A ``+project`` or ``@person`` that nobody knows stays in the title, where it
    can be seen; so does a person who does not see the project."""
    reading = read_now(said)
    title = [reading.title]
    project_id = said.project_id
    if reading.project is not None:
        named = await tx.find(projects.BY_TITLE, title=reading.project, viewer=user_id)
        if named is None:
            title.append(f"+{reading.project}")
        else:
            project_id = named.id
    if project_id is None:
        project_id = (await inbox(tx, user_id)).id
    assignees = []
    for person in reading.people:
        if (found := await _find(tx, person, project_id)) is None:
            title.append(f"@{person}")
        else:
            assignees.append(found)
    new = TaskCreate(
        title=" ".join(title),
        project_id=project_id,
        priority=reading.priority,
        labels=reading.labels,
        assignee_ids=assignees,
        zone=said.zone,
        due_date=reading.due_date,
        due_time=reading.due_time,
        repeat=reading.repeat,
        repeat_from="completion" if reading.repeat_from == "completion" else "due",
    )
    return await create(tx, new, user_id)


async def _find(tx: Work, person: str, project_id: UUID) -> UUID | None:
    """The one person whom a word may mean, if they see the project."""
    found = await tx.many(projects.FIND_USER, word=person)
    if len(found) != 1:
        return None
    able = await tx.many(projects.WHO_SEES, project_id=project_id, user_ids=found)
    return able[0] if able else None
