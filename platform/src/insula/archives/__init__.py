"""Folders and zip archives of text files, in and out. Nothing in an archive is believed."""
