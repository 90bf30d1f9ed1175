"""The commands of ``insula backup``."""
