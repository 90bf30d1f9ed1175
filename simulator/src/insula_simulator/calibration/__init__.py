"""The simulator held against a real NGINX: the same requests, the same cache."""
