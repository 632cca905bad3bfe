"""A network as one thing: trunk, heads, weights, checkpoints."""
