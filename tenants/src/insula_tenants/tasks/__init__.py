"""Tasks: projects, repeats, reminders, and what is to be done next."""
