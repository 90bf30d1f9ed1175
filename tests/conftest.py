"""Fixtures that every test may use; the pieces lie in ``tests/fixtures``."""

pytest_plugins = [
    "fixtures.mail",
    "fixtures.installation",
    "fixtures.background",
    "fixtures.receiver",
    "fixtures.live",
    "fixtures.node",
]
