"""What a start of the platform may not spend its time on."""

import pytest
from insula.app import build
from insula.module import discover
from insula.settings import Settings
from sqlalchemy import Table


@pytest.mark.filterwarnings(
    "ignore::litestar.exceptions.base_exceptions.LitestarDeprecationWarning"
)
def test_assembling_the_application_copies_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Litestar copies what a route's options hold, with everything that hangs on it."""

    def refuse(table: Table, memo: object) -> Table:
        raise AssertionError(f"the table {table.name} is copied: what names it, in which route?")

    monkeypatch.setattr(Table, "__deepcopy__", refuse, raising=False)
    settings = Settings(
        database_url="postgresql:///nowhere", redis_url="unix:///nowhere", secret_key="x" * 32
    )
    build(settings, discover())
