"""Which placement, policy and cache size meets a latency and a budget at least cost."""
