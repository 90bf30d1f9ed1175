"""Grammar, spelling and style of notes: Harper, answering as LanguageTool does.

Harper takes quadratic time and worse for texts like fifty thousand opening brackets, and a thread
cannot be stopped. So it runs in processes of its own, which are killed when they take too long.
"""
