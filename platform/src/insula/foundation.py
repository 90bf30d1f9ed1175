"""What a web process and a worker both stand on: connections, and the services made of them."""

from typing import Any

from insula.egress import Egress, Policy
from insula.files.links import Links
from insula.files.previews import Previews
from insula.files.service import Files
from insula.http.admission import SCRIPT
from insula.http.redis_line import Address, RedisLine
from insula.huge_pages import HugePages
from insula.mail.sending import Mailer
from insula.module import Module
from insula.realtime.log import SCRIPTS as LIVE_SCRIPTS
from insula.realtime.publisher import Realtime
from insula.settings import Settings, SettingsError
from insula.telemetry.tracing import Tracing
from insula.tenancy.cells import Cells
from insula.tenancy.dns import NameServers
from insula.tenancy.tenant import Directory


class Foundation:
    """Made once a process. ``services`` is what handlers and jobs ask for by name; a core service
    that both need is added here.

    Raises:
        SettingsError: there is no Redis or database URL.
    """

    def __init__(self, settings: Settings, modules: dict[str, Module]) -> None:
        if not settings.redis_url:
            raise SettingsError(
                "INSULA_REDIS_URL is not set: `make run` starts a server of its own"
            )
        self.settings = settings
        self.modules = modules
        self.cells = Cells(settings)
        self.tenants = self.cells.tenants
        self.catalogue = self.cells.catalogue
        self.redis = RedisLine(Address(settings.redis_url), (SCRIPT, *LIVE_SCRIPTS))
        self.directory = Directory()
        self.tracing = Tracing(settings)
        self.huge_pages = HugePages()
        self.egress = Egress(Policy.of(settings))
        self.realtime = Realtime(self.redis, length=settings.live_log_length)
        self.files = Files(settings, self.tenants)
        self.services: dict[str, Any] = {
            "settings": settings,
            "modules": modules,
            "database": self.tenants,
            "catalogue": self.catalogue,
            "redis": self.redis,
            "egress": self.egress,
            "mailer": Mailer.of(settings),
            "realtime": self.realtime,
            "directory": self.directory,
            "files": self.files,
            "previews": Previews(settings, self.files.blobs),
            "links": Links(settings.secret_key),
            "cells": self.cells,
            "name_servers": NameServers(settings),
        }

    async def open(self) -> None:
        """In the running loop, before anything is asked of a service."""
        await self.redis.connect()
        self.huge_pages.start()

    async def close(self) -> None:
        self.huge_pages.close()
        await self.egress.close()
        await self.redis.close()
        await self.cells.close()
        self.tracing.close()
