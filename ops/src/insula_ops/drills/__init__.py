"""Drills: break a running installation on purpose, and prove what survived."""
