"""Every SQL statement of polls."""
