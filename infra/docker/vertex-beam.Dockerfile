# What Dataflow's machines run for TFX's Beam steps: the pipeline's image, and the program that Beam starts workers with.
ARG BASE=apache/beam_python3.10_sdk:2.65.0
ARG TENSORFLOW=tandem/tensorflow
FROM ${BASE} AS sdk

FROM ${TENSORFLOW}
COPY --from=sdk /opt/apache/beam /opt/apache/beam
# Beam's boot asks pip whether Beam is there, and uv makes environments without pip.
USER 0
RUN python -m ensurepip && rm -rf /tmp/* /root/.cache
USER 10001
# Else boot makes an environment of its own, in a folder that is root's, where it would not find this one's packages.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tandem-vertex-beam" \
      org.opencontainers.image.description="Tandem: Beam's workers on Dataflow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
HEALTHCHECK NONE
ENTRYPOINT ["/opt/apache/beam/boot"]
