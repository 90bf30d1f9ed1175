"""CDN and cache simulation; imports nothing else of Insula."""
