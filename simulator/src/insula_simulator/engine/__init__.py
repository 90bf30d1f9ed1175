"""What every eviction policy is built of: a bounded hash table, intrusive lists and heaps in flat
integer arrays, compiled by Numba once and kept on disk."""
