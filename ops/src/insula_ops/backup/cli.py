"""``insula backup``, and by itself ``insula-backup``."""

import rich_click as click

from insula_ops.backup.commands import keeping, making, restoring


@click.group()
def backup() -> None:
    """Back up any PostgreSQL database into a folder or a bucket, and restore it.

    The database is named by INSULA_BACKUP_URL, by --url-file, or by libpq's PG* variables; where
    to restore to by INSULA_RESTORE_URL or --url-file. PLACE is a folder or
    s3://bucket/prefix?endpoint=…, with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """


for command in (
    making.connect, making.inspect, making.create,
    keeping.list_backups, keeping.verify, keeping.prune, keeping.check,
    restoring.restore, restoring.drill,
):  # fmt: skip
    backup.add_command(command)
