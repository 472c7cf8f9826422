"""One machine without services of its own: embedded Postgres, simulated networks and Airflow's processes."""
