"""Traces as a whole: turned into other formats, described, imitated."""
