"""Jobs: work that a request hands over, written in the request's transaction.

A module declares each in its ``jobs.py`` and names it in ``Module(jobs=…)``; its service enqueues::

    await enqueue(tx, REMIND, Remind(task_id=task.id), at=task.remind_at, key=f"remind:{task.id}")

The job starts after the transaction has committed, in the worker, bound to the same tenant.
"""

from insula.jobs.enqueuing import cancel, enqueue
from insula.jobs.errors import GiveUp, TryAgain
from insula.jobs.types import Cron, Job, JobContext

__all__ = ["Cron", "GiveUp", "Job", "JobContext", "TryAgain", "cancel", "enqueue"]
