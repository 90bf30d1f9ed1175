"""Load on a running Insula, over HTTP only. ``ops/README.md`` says how to run it.

A mix is the weights of its users: one person writes for every four that read.
"""

from insula_ops.scenarios.notes import NotesReader, NotesWriter

__all__ = ["NotesReader", "NotesWriter"]

NotesReader.weight = 4
NotesWriter.weight = 1
