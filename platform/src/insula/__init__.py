"""Insula: one self-hosted, multi-tenant backend."""

__version__ = "0.1.0"
