"""Notes in Markdown: links between them, tags, tasks, revisions, and whole vaults in and out."""
