"""What a tenant has had from outside."""

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from insula.db import TenantTable
from insula.db.marks import SHORT


class InboxRow(TenantTable):
    """An event that came in; CloudEvents says that source and id together are unique."""

    __tablename__ = "event_inbox"
    __table_args__ = ({"info": SHORT},)

    source: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
