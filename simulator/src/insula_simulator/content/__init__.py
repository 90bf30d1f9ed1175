"""What is distributed and how caches treat it: classes of content, purging, admission, pushing."""
