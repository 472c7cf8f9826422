"""What simulated networks have in common: a clock to be moved, answers that fail to arrive, control paths, records."""
