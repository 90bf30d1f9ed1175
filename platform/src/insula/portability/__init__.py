"""Carrying a tenant from one installation into another, and erasing a person from it."""
