"""Every SQL statement of tasks."""
