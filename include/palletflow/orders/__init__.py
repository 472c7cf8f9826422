"""The domain: what an order is and what may become of it. Imports nothing of ours and nothing of Airflow."""
