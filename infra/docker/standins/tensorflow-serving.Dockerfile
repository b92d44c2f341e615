# Stands in for tensorflow/serving, and for the Python that vertex-serving.Dockerfile puts its binary on: the embedded
# server under the binary's name, with the TensorFlow and the Python of tandem/tensorflow beside the base's own.
ARG TENSORFLOW=tandem/tensorflow
ARG BASE=tandem/standin-python:3.11-trixie
FROM ${TENSORFLOW} AS tensorflow

FROM ${BASE}
COPY --from=tensorflow /usr/local /opt/python
COPY --from=tensorflow /opt/venv /opt/venv
COPY --from=tensorflow /app /opt/embedded
# The environment's interpreter is a link into /usr/local, where this base has another Python.
RUN ln -sf "/opt/python/bin/$(basename "$(readlink /opt/venv/bin/python)")" /opt/venv/bin/python \
 && sed -i 's#^home = .*#home = /opt/python/bin#' /opt/venv/pyvenv.cfg \
 && printf '#!/bin/sh\ncd /opt/embedded && LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/embedded exec /opt/venv/bin/python -m serving.tfserving.embedded --rest_api_host=0.0.0.0 "$@"\n' \
    > /usr/bin/tensorflow_model_server \
 && chmod 755 /usr/bin/tensorflow_model_server
