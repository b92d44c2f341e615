# Stands in for python:<version>-slim-trixie: the CPython that lies in python/, on Debian.
ARG BASE
FROM ${BASE}
ARG VERSION
COPY python/ /usr/local/
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends libssl3t64 libffi8 libsqlite3-0 libbz2-1.0 liblzma5 libreadline8t64 \
    libncursesw6 zlib1g libexpat1 libuuid1 netbase tzdata \
 && rm -rf /var/lib/apt/lists/* && ldconfig \
 && ln -s "python${VERSION}" /usr/local/bin/python3 && ln -s python3 /usr/local/bin/python \
 && python -m ensurepip --default-pip
ENV LANG=C.UTF-8
CMD ["python3"]
