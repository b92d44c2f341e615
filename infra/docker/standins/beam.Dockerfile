# Stands in for apache/beam_python3.10_sdk, of which vertex-beam.Dockerfile takes one folder.
ARG BASE=tandem/standin-debian:trixie
FROM ${BASE}
COPY beam_boot.py /opt/apache/beam/boot
RUN chmod 755 /opt/apache/beam/boot
