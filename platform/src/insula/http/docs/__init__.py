"""The documentation that an installation serves about itself: works offline, runs no framework."""

from insula.http.docs.routes import documentation

__all__ = ["documentation"]
