"""What simulated networks have in common: a clock to be moved, and answers that fail to arrive."""
