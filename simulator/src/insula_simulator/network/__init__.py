"""The compiled parts of a whole network: traffic, routing, freshness, servers, latency."""
