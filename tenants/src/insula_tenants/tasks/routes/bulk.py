"""Many tasks at once, and one out of a sentence."""

from insula.db import Work
from insula.http.exchange import Caller
from litestar import Response, post

from insula_tenants.tasks.errors import ProjectReadOnly
from insula_tenants.tasks.permissions import WRITE
from insula_tenants.tasks.quickadd.reading import Reading
from insula_tenants.tasks.routes.tasks import made
from insula_tenants.tasks.schemas.around import Bulk, BulkReport, QuickAdd
from insula_tenants.tasks.schemas.tasks import Task
from insula_tenants.tasks.service import bulk, quick


@post("/bulk", right=WRITE, status_code=200)
async def change_in_bulk(data: Bulk, tx: Work, caller: Caller) -> BulkReport:
    """Up to 200 things at once. Each is done or refused by itself; what is refused changes
    nothing."""
    return await bulk.run(tx, data.items, caller.user_id)


@post("/quick", right=WRITE, problems=(ProjectReadOnly,))
async def quick_add_task(data: QuickAdd, tx: Work, caller: Caller) -> Response[Task]:
    """Make a task out of a sentence: ``Pay rent tomorrow 9am #home !1 every month @anna``.

    ``#label``, ``+project``, ``@person``, ``!1`` to ``!4``; days, dates and times in English or as
    ISO 8601; ``every …`` for what repeats, ``every! …`` from when it was done. What is not
    understood is part of the title; ``"quoted words"`` always are."""
    return made(await quick.add(tx, data, caller.user_id))


@post("/quick/preview", right=WRITE, status_code=200)
async def preview_quick_add(data: QuickAdd) -> Reading:
    """What a sentence would be read as; nothing is made."""
    return quick.read_now(data)


ROUTES = (change_in_bulk, quick_add_task, preview_quick_add)
