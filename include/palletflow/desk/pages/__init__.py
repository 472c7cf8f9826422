"""The order desk: pages for operations people, rendered here and shown inside Airflow."""
