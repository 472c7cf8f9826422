"""Shared glue between Palletflow and Airflow; with hook.py and operators.py the only importers of Airflow."""
