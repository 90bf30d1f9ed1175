"""What a start of the platform may not spend its time on."""

import pytest
from argon2 import extract_parameters
from insula.app import build
from insula.identity.passwords import NOBODY, hash_password
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


async def test_what_stands_for_nobodys_password_costs_what_everybodys_does() -> None:
    """It is written out, and not hashed at each start; else sign-in told who has an account."""
    theirs = extract_parameters(await hash_password("correct horse battery staple"))
    assert extract_parameters(NOBODY) == theirs
    assert (theirs.memory_cost, theirs.time_cost) == (19 * 1024, 2)  # what OWASP recommends
