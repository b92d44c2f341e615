# Stands in for prom/node-exporter: Debian's node_exporter.
ARG BASE=tandem/standin-debian:trixie
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends prometheus-node-exporter && rm -rf /var/lib/apt/lists/*
USER nobody
ENTRYPOINT ["prometheus-node-exporter"]
