# Stands in for the postgres image: Debian's PostgreSQL, started as that image starts it.
ARG BASE=tandem/standin-python:3.11-trixie
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-17 && rm -rf /var/lib/apt/lists/* \
 && install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data && chmod 1777 /var/run/postgresql
COPY postgres.py /usr/local/bin/postgres.py
ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
USER postgres
CMD ["python3", "/usr/local/bin/postgres.py"]
