"""What a night must have come to: the networks' own view against the order store."""
