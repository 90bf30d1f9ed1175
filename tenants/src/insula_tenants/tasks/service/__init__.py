"""The rules about tasks."""
