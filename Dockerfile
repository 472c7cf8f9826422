# The one image of docker-compose.yaml: Airflow with the packages of the lock, and the pipelines.
# The slim base is Airflow alone; the full one has dozens of providers more, which the lock knows nothing of.
FROM apache/airflow:slim-3.3.2-python3.12

# What changes seldom comes first: a new pipeline does not install the lock again.
COPY --chown=airflow:0 requirements.txt ./
RUN pip install --no-cache-dir --no-deps --requirement requirements.txt

# Installed, not only copied: Airflow learns our connection types from the entry point of the package.
COPY --chown=airflow:0 pyproject.toml README.md src/
COPY --chown=airflow:0 include/palletflow src/include/palletflow
RUN pip install --no-cache-dir --no-deps ./src && rm -r src

# Volumes take over the owner of the folder they are mounted on.
RUN mkdir documents files

# The deployment file and the import templates it names lie beside each other.
COPY --chown=airflow:0 include/*.yaml include/
COPY --chown=airflow:0 plugins/ plugins/
COPY --chown=airflow:0 dags/ dags/
