"""The order API: a FastAPI application that plugins/palletflow_plugin.py mounts into Airflow's own web server."""
