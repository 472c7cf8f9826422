"""The work queue's engine: claims what is due, runs its handlers, keeps the results. Knows no network."""
