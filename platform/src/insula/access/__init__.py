"""Who may do what."""

from insula.access.rights import CORE_SCOPES, OPERATOR, PUBLIC, ROLES, SIGNED_IN, Rights, Scope

__all__ = ["CORE_SCOPES", "OPERATOR", "PUBLIC", "ROLES", "SIGNED_IN", "Rights", "Scope"]
