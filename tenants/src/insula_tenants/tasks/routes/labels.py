"""Labels."""

from typing import Annotated

from insula.db import Work
from insula.http.exchange import Caller
from insula.http.problem import FieldError, InvalidInput
from litestar import delete, get, post, put
from litestar.params import PathParameter

from insula_tenants.tasks.permissions import READ, WRITE
from insula_tenants.tasks.queries import around, tasks
from insula_tenants.tasks.schemas.around import LabelChange, LabelPut, LabelRename
from insula_tenants.tasks.schemas.fields import LABEL_LIMIT
from insula_tenants.tasks.schemas.tasks import LabelCount
from insula_tenants.tasks.service import labels as service

Name = Annotated[str, PathParameter(min_length=1, max_length=LABEL_LIMIT)]
_UNFIT = frozenset(" \t\r\n#@+!,")


@get("/labels", right=READ)
async def list_labels(tx: Work, caller: Caller) -> list[LabelCount]:
    """The labels of open tasks that the caller sees, and those that have a colour."""
    return await tx.many(tasks.LABELS, viewer=caller.user_id)


@put("/labels/{label:str}", right=WRITE, status_code=204)
async def put_label(label: Name, data: LabelPut, tx: Work) -> None:
    """Give a label a colour, for everybody in the tenant."""
    if _UNFIT & set(label):
        raise InvalidInput(errors=(FieldError("path:label", "is one word without #@+!,"),))
    await tx.execute(around.PUT_LABEL, name=label, colour=data.colour)


@post("/labels/{label:str}/rename", right=WRITE, status_code=200)
async def rename_label(label: Name, data: LabelRename, tx: Work, caller: Caller) -> LabelChange:
    """Rename a label in every task that the caller may change."""
    return await service.rename(tx, label, data.to, caller.user_id)


@delete("/labels/{label:str}", right=WRITE)
async def remove_label(label: Name, tx: Work, caller: Caller) -> None:
    """Take a label off every task that the caller may change."""
    await service.remove(tx, label, caller.user_id)


ROUTES = (list_labels, put_label, rename_label, remove_label)
