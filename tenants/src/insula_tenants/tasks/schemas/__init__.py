"""What tasks take and give."""
