"""The gateway's fixtures, for the tests in this folder."""

from fixtures.gateway import gateway, start_gateway

__all__ = ["gateway", "start_gateway"]
