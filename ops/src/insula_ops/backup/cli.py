"""``insula backup``, and by itself ``insula-backup``."""

import importlib

import rich_click as click

_COMMANDS = {
    "connect": "making.connect",
    "inspect": "making.inspect",
    "create": "making.create",
    "list": "keeping.list_backups",
    "verify": "keeping.verify",
    "prune": "keeping.prune",
    "check": "keeping.check",
    "restore": "restoring.restore",
    "drill": "restoring.drill",
}


class _Commands(click.RichGroup):
    """Imports a command when it is called: ``insula --help`` lists this group, and has to come at
    once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(".")
        found: click.Command = getattr(
            importlib.import_module(f"insula_ops.backup.commands.{module}"), name
        )
        return found


@click.group(cls=_Commands)
def backup() -> None:
    """Back up any PostgreSQL database into a folder or a bucket, and restore it.

    The database is named by INSULA_BACKUP_URL, by --url-file, or by libpq's PG* variables; where
    to restore to by INSULA_RESTORE_URL or --url-file. PLACE is a folder or
    s3://bucket/prefix?endpoint=…, with the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """
