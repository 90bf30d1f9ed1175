"""The rules of the blog, by what they are about."""
