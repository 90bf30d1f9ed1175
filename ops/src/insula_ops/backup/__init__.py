"""``insula backup``: any PostgreSQL database into a folder or a bucket, and back."""
