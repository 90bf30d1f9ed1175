"""Fixtures that every test may use; the pieces lie in ``tests/fixtures``."""

pytest_plugins = [
    "fixtures.certificates",
    "fixtures.mail",  # before those that import it, or pytest cannot rewrite its assertions
    "fixtures.name_server",
    "fixtures.installation",
    "fixtures.background",
    "fixtures.brokers",
    "fixtures.browser",
    "fixtures.cells",
    "fixtures.receiver",
    "fixtures.collector",
    "fixtures.live",
    "fixtures.node",
    "fixtures.s3",
    "fixtures.any_database",
    "fixtures.backing_up",
]
