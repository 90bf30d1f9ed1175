"""Tools for those who write modules: migrations from table classes, and new modules."""
