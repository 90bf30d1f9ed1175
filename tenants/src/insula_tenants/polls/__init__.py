"""Polls: questions to many people at once, whose results everybody watches come in."""
