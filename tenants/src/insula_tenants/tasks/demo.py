"""Tasks worth looking at, for a demo tenant."""

from insula.db import Work
from insula.module import Demo

from insula_tenants.tasks.schemas.around import QuickAdd
from insula_tenants.tasks.schemas.projects import ProjectCreate
from insula_tenants.tasks.schemas.tasks import TaskCreate
from insula_tenants.tasks.service import completing, projects, quick, tasks

_SENTENCES = (
    "Pay the rent every 1st 9am !1 #money",
    "Water the tomatoes every! 2 days 7am #garden",
    "Sweep the stairs every friday #house",
    "Call the chimney sweep next week !2 #house",
    "Order compost tomorrow #garden",
)
_MEETING = ("Set a date", "Ask the baker for the key", "Print the minutes")


async def fill(tx: Work, demo: Demo) -> None:
    """A project of the house with repeating tasks, labels, priorities and subtasks."""
    house = ProjectCreate(
        title="The house",
        description="What all households share.",
        colour="#2e7d32",
        visibility="tenant",
        zone="Europe/Rome",
    )
    project = await projects.create(tx, house, demo.owner_id)
    for sentence in _SENTENCES:
        said = QuickAdd(text=sentence, zone="Europe/Rome", project_id=project.id)
        await quick.add(tx, said, demo.owner_id)
    meeting = TaskCreate(title="House meeting", project_id=project.id, labels=["meeting"])
    parent = await tasks.create(tx, meeting, demo.owner_id)
    steps = [
        await tasks.create(tx, TaskCreate(title=title, parent_id=parent.id), demo.owner_id)
        for title in _MEETING
    ]
    await completing.complete(tx, steps[0].id, demo.owner_id)
    await tasks.create(tx, TaskCreate(title="Try quick add: `tomorrow 9am #home`"), demo.owner_id)
