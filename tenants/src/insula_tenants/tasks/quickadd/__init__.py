"""Tasks out of sentences: ``Pay rent tomorrow 9am #home !1 every month @anna``.

Read by rules, the same way every time; what no rule knows is part of the title.
"""
