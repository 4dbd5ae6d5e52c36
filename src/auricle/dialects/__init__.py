"""The public APIs. Each folder answers one vendor's clients; none knows another."""
