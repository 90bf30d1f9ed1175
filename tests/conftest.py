"""Fixtures that every test may use; the pieces lie in ``tests/fixtures``."""

pytest_plugins = ["fixtures.installation", "fixtures.background", "fixtures.receiver"]
