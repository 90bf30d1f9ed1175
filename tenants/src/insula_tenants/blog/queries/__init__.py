"""Every SQL statement of the blog, by what it is about."""
