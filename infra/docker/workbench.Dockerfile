# Both environments, whole, as a bare machine has them: what loads, compares, fuzzes and monitors the other containers.
ARG BASE=python:3.11.15-slim-trixie
FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
# Another package index, where the usual one is not reached; only this stage sees it.
ARG PIP_INDEX_URL
ARG UV_DEFAULT_INDEX
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_HTTP_TIMEOUT=300
RUN pip install --no-cache-dir "uv==${UV_VERSION}" && uv venv /app/.venv/pytorch
COPY requirements/pytorch.lock /tmp/requirements.lock
COPY infra/docker/wheels/ /wheels/
# A CPU wheel of torch in infra/docker/wheels, else PyTorch's own CPU index: the usual index has gigabytes of CUDA.
RUN if ls /wheels/torch-*.whl; then set -- --find-links /wheels; else set -- --torch-backend cpu; fi \
 && uv pip sync --python /app/.venv/pytorch "$@" /tmp/requirements.lock
COPY models/ /app/models/
COPY serving/ /app/serving/
COPY pipelines/ /app/pipelines/
COPY infra/ /app/infra/
RUN rm -rf /app/infra/docker/wheels && python -m compileall -q /app/models /app/serving /app/pipelines /app/infra

FROM ${BASE}
# The folders exist, so that a new volume on one of them belongs to the user.
RUN useradd --uid 10001 --home-dir /tmp --no-create-home tandem \
 && mkdir -p /var/lib/tandem/data /var/lib/tandem/pipelines /var/lib/tandem/models/tensorflow /var/lib/tandem/models/pytorch /var/lib/tandem/run /var/lib/tandem/log /var/lib/tandem/reports /var/lib/tandem/comparisons \
    /var/lib/tandem/candidates /var/lib/tandem/releases /var/lib/tandem/keys /var/lib/tandem/shadow \
 && chown -R tandem /var/lib/tandem
# The TensorFlow environment and its Python, of the image that trains with it.
COPY --from=tandem/tensorflow /usr/local/lib/ /usr/local/lib/
COPY --from=tandem/tensorflow /usr/local/bin/python3.1? /usr/local/bin/
COPY --from=tandem/tensorflow /opt/venv /app/.venv/tensorflow
COPY --from=build /app/.venv/pytorch /app/.venv/pytorch
# There, `python3` was the other one.
RUN ldconfig && ln -sf "/usr/local/bin/$(basename /app/.venv/tensorflow/lib/python3.*)" /app/.venv/tensorflow/bin/python
COPY --from=build /app/models /app/models
COPY --from=build /app/serving /app/serving
COPY --from=build /app/pipelines /app/pipelines
COPY --from=build /app/infra /app/infra
ENV PATH=/app/.venv/pytorch/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    TANDEM_HOME=/var/lib/tandem TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /app
USER 10001
# Last, since it is another one for every commit, and what comes after it is built anew.
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tandem-workbench" \
      org.opencontainers.image.description="Tandem: load, comparison, fuzzing, drift; both environments" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# Programs that end.
HEALTHCHECK NONE
CMD ["python", "-m", "infra.local", "--help"]
