"""The rules of exporting and erasing."""

from datetime import UTC, datetime
from uuid import UUID

from insula.db import Work
from insula.db.ids import new_id
from insula.files import queries as files
from insula.files.jobs import remove_bytes
from insula.identity import queries as identity
from insula.identity import users
from insula.identity.errors import OutranksYou
from insula.identity.sessions import Sessions
from insula.jobs import enqueue
from insula.portability import queries
from insula.portability.erasing import Content, Erased, erase_rows
from insula.portability.errors import ExportsUnderWay
from insula.portability.jobs import EXPIRE, EXPORT, FORGET, Expire, ExportArgs, Forget
from insula.portability.receipts import Receipts
from insula.portability.schemas import Erasure, Export

_AT_ONCE = 3


async def ask_for_export(tx: Work, *, by: UUID, person_id: UUID | None = None) -> Export:
    """Have everybody's data, or one person's, written into an archive.

    Raises:
        ExportsUnderWay: see there.
        RowNotFound: there is no such person.
    """
    if person_id is not None:
        await tx.one(identity.GET_USER, id=person_id)
    await tx.one(files.LOCK_USAGE)  # two who ask at once: the second one sees the first one's
    if await tx.one(queries.UNDER_WAY) >= _AT_ONCE:
        raise ExportsUnderWay
    export_id = new_id()
    job_id = await enqueue(tx, EXPORT, ExportArgs(export_id, person_id), actor=by)
    await tx.execute(
        queries.INSERT_EXPORT,
        id=export_id,
        kind="person" if person_id else "tenant",
        person_id=person_id,
        requested_by=by,
        job_id=job_id,
    )
    return await tx.one(queries.GET_EXPORT, id=export_id)


async def delete_export(tx: Work, export_id: UUID) -> None:
    """Its row now, its bytes a moment later.

    Raises:
        RowNotFound: there is none.
    """
    await tx.one(queries.DELETE_EXPORT, id=export_id)
    await enqueue(tx, EXPIRE, Expire(export_id))


async def erase(
    tx: Work,
    sessions: Sessions,
    receipts: Receipts,
    user_id: UUID,
    content: Content,
    *,
    by: UUID,
    by_role: str,
) -> Erasure:
    """Erase a person; the receipt of it. Who has been erased already gets the receipt of then,
    unless there is more to be removed now.

    Raises:
        RowNotFound, LastOwner, OutranksYou: see there.
    """
    user = await tx.one(identity.LOCK_USER, id=user_id)
    before = await tx.find(queries.ERASED_BEFORE, user_id=user_id, content=content)
    if before is not None:
        return before
    if user.role == "owner":
        if by_role != "owner":
            raise OutranksYou
        if user.status == "active":
            await users.check_other_owner(tx, user_id)
    await sessions.end_all(tx, user_id, reason="user erased")
    report = await _erase_content(tx, user_id, user.email, content)
    report |= await erase_rows(tx, user_id, content)
    if (events := report.get("events")) is not None:
        report["events"] = Erased(later=events.kept)
    await tx.one(identity.update_user(("status",)), user_id=user_id, status="disabled")
    await enqueue(tx, FORGET, Forget(user_id))
    return await _write_receipt(tx, receipts, user_id, content, by, report)


async def _erase_content(
    tx: Work, user_id: UUID, email: str, content: Content
) -> dict[str, Erased]:
    """What marks cannot say: mails on their way, archives that have the person in them, and the
    bytes of files."""
    report = {"jobs": Erased(deleted=await tx.execute(queries.FORGET_JOBS, email=email.lower()))}
    theirs = await tx.many(queries.OF_PERSON, person_id=user_id)
    for export_id in theirs:
        await delete_export(tx, export_id)
    withdrawn = await tx.many(queries.WITHDRAW)
    for export_id in withdrawn:
        await enqueue(tx, EXPIRE, Expire(export_id, keep_row=True))
    report["exports"] = Erased(deleted=len(theirs), emptied=len(withdrawn))
    if content == "remove":
        gone = await tx.many(queries.THEIR_FILES, user_id=user_id)
        await remove_bytes(tx, {file.id: file.size for file in gone})
        report["files"] = Erased(deleted=len(gone))
    return {name: erased for name, erased in report.items() if erased != Erased()}


async def _write_receipt(
    tx: Work,
    receipts: Receipts,
    user_id: UUID,
    content: Content,
    by: UUID,
    report: dict[str, Erased],
) -> Erasure:
    now = datetime.now(UTC).replace(microsecond=0)
    tables = dict(sorted(report.items()))
    erasure = Erasure(new_id(), user_id, content, by, now, tables, "")
    erasure.receipt = receipts.sign(erasure)
    await tx.execute(
        queries.INSERT_ERASURE,
        id=erasure.id,
        user_id=user_id,
        content=content,
        requested_by=by,
        erased_at=now,
        tables=tables,
        receipt=erasure.receipt,
    )
    return erasure
