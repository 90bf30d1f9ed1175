"""The blog: articles, comments, followers, feeds, and doors to other blogs."""
