"""Scopes, the built-in roles, and the right that each route names."""

from typing import Final

import msgspec

ROLES: Final = ("owner", "admin", "member", "customer")
"""Built-in roles, from the most to the least powerful. The owner has every scope."""

PUBLIC: Final = "public"
"""The right of a route that anybody may call within a tenant (or without one)."""

SIGNED_IN: Final = "signed-in"
"""The right of a route that every signed-in user may call."""


OPERATOR: Final = "operator"
"""The right of a route of the operator API: no tenant's user has it, owner or not."""


class Scope(msgspec.Struct, frozen=True):
    """Something that may be done, and which built-in roles may do it.

    ``name`` is ``<module>:<verb>``. A privileged scope is refused while revocations cannot be
    checked (Redis down), the others are not.
    """

    name: str
    summary: str
    roles: tuple[str, ...] = ("admin",)
    privileged: bool = False


CORE_SCOPES: Final = (
    Scope("users:read", "See the users of the tenant", ("admin", "member")),
    Scope("users:write", "Create, change and disable users", ("admin",), privileged=True),
    Scope("modules:read", "See which modules are on", ("admin", "member")),
    Scope("files:read", "See and download files", ("admin", "member")),
    Scope("files:write", "Upload, change and delete files", ("admin", "member")),
    Scope("webhooks:read", "See webhooks and what was delivered"),
    Scope("webhooks:write", "Have events sent elsewhere", privileged=True),
    Scope("modules:write", "Switch modules on and off", ("admin",), privileged=True),
    Scope("settings:read", "See the tenant's settings", ("admin", "member")),
    Scope("settings:write", "Change the tenant's settings"),
    Scope("events:read", "Read the log of what happened"),
    Scope("events:write", "Have consumers go through the log again"),
    Scope("exports:read", "See and download exports of everybody's data", privileged=True),
    Scope("exports:write", "Export everybody's data", privileged=True),
    Scope("imports:write", "Fill an empty tenant from an archive", (), privileged=True),
    Scope("users:erase", "Erase users, and see the receipts", privileged=True),
    Scope("jobs:read", "See all jobs of the tenant", ("admin",)),
    Scope("jobs:write", "Replay and cancel jobs", ("admin",)),
)


class Rights:
    """Which scopes each built-in role has, over the core and all installed modules."""

    def __init__(self, scopes: tuple[Scope, ...]) -> None:
        self.scopes = {scope.name: scope for scope in scopes}
        self._of_role = {
            role: frozenset(
                scope.name for scope in scopes if role == "owner" or role in scope.roles
            )
            for role in ROLES
        }
        self.privileged = frozenset(scope.name for scope in scopes if scope.privileged)

    def of(self, role: str) -> frozenset[str]:
        """The scopes of a role; none for a role that nobody knows."""
        return self._of_role.get(role, frozenset())
