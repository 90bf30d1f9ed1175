"""PostgreSQL and Redis from wheels, for ``insula up`` and for tests: real servers, no set-up."""

from insula.embedded.claim import FolderBusy, claim
from insula.embedded.errors import ServerFailed
from insula.embedded.servers import EmbeddedServers, make_home

__all__ = ["EmbeddedServers", "FolderBusy", "ServerFailed", "claim", "make_home"]
