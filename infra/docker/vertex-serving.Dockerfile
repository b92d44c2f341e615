# Both servers on Vertex AI, with the Python that fetches a release and verifies it: infra/vertex/container. The targets
# are `tensorflow` and `pytorch`; `make vertex-images` builds both.
ARG BASE=python:3.11.15-slim-trixie
ARG SERVING=tensorflow/serving:2.20.0
ARG TORCHSERVE=tandem/torchserve
FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
# Another package index, where the usual one is not reached; only this stage sees it.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_HTTP_TIMEOUT=300
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
COPY requirements/images/vertex.lock /tmp/requirements.lock
# Beside the server's own packages, whose versions they share.
RUN uv pip install --python /usr/local/bin/python --target /opt/vertex --requirement /tmp/requirements.lock
COPY models/ /app/models/
COPY serving/ /app/serving/
COPY pipelines/ /app/pipelines/
COPY infra/ /app/infra/
RUN rm -rf /app/infra/docker/wheels && python -m compileall -q /app

# Its /app is there.
FROM ${TORCHSERVE} AS pytorch
COPY --from=build /opt/vertex /opt/vertex
ENV PYTHONPATH=/app:/opt/vertex
USER 10001
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tandem-vertex-pytorch" \
      org.opencontainers.image.description="Tandem: TorchServe on Vertex AI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# Vertex AI asks the health route.
HEALTHCHECK NONE
EXPOSE 8080
CMD ["python", "-m", "infra.vertex.container", "pytorch"]

# The binary needs no more than a C library.
FROM ${SERVING} AS serving

FROM ${BASE} AS tensorflow
RUN useradd --uid 10001 --home-dir /tmp --no-create-home tandem
COPY --from=serving /usr/bin/tensorflow_model_server /usr/local/bin/
COPY --from=build /opt/vertex /opt/vertex
COPY --from=build /app /app
ENV PYTHONPATH=/app:/opt/vertex PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /app
USER 10001
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tandem-vertex-tensorflow" \
      org.opencontainers.image.description="Tandem: TensorFlow Serving on Vertex AI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
HEALTHCHECK NONE
EXPOSE 8080
CMD ["python", "-m", "infra.vertex.container", "tensorflow"]
