"""`make soak`: a night simulated, with real processes, real faults and a clock that is moved."""
