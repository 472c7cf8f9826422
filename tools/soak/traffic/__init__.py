"""What happens in a night: consignments at the networks, customers' orders, and our own people at work."""
