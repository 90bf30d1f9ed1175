"""Markdown: rendering to safe HTML, front matter, and what changed between two texts."""
