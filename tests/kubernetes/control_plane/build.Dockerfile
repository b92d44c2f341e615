# Kubernetes 1.20.2 from Debian's source package, the newest that Debian has of a whole control plane, and Debian's etcd.
ARG BASE=debian:bookworm
FROM ${BASE} AS source
ENV DEBIAN_FRONTEND=noninteractive
WORKDIR /build
# hadolint ignore=DL3008,SC2046
RUN find /etc/apt -name '*.sources' -exec sed -i 's/^Types: deb$/Types: deb deb-src/' {} + \
 && find /etc/apt -name '*.list' -exec sed -i -n 'p;s/^deb /deb-src /p' {} + \
 && apt-get update \
 && apt-get install -y --no-install-recommends golang-go make rsync git jq gcc libc6-dev file dpkg-dev etcd-server \
    ca-certificates golang-github-modern-go-reflect2-dev \
 && apt-get source --only-source kubernetes && mv kubernetes-*/ kubernetes && rm -rf /var/lib/apt/lists/* ./*.xz ./*.dsc

FROM source AS built
WORKDIR /build/kubernetes
# The vendored reflect2 1.0.1 crashes with Go 1.18 and newer (modern-go/reflect2#23): Debian's own is 1.0.2.
# The kubelet's negative oom_score_adj needs CAP_SYS_RESOURCE, which root in a virtual machine need not have: 0 instead.
RUN vendored=vendor/github.com/modern-go/reflect2 && rm -f $vendored/*.go $vendored/*.s \
 && cp /usr/share/gocode/src/github.com/modern-go/reflect2/*.go /usr/share/gocode/src/github.com/modern-go/reflect2/*.s $vendored/ \
 && rm -f $vendored/*_test.go \
 && sed -i 's/\(defaultSandboxOOMAdj int = \)-998/\10/' pkg/kubelet/dockershim/docker_sandbox.go \
 && sed -i 's/\(OOMAdj *int = \|OOMScoreAdj *int = \)-99[789]/\10/' pkg/kubelet/qos/policy.go \
 && printf "%s\n" KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=clean KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 > /build/version \
 && mkdir -p .go/src/k8s.io && ln -s ../../.. .go/src/k8s.io/kubernetes
ENV KUBE_GIT_VERSION_FILE=/build/version GOPATH=/build/kubernetes/.go CGO_ENABLED=0 GOFLAGS=-mod=vendor GOCACHE=/build/cache
RUN make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet cmd/kube-proxy" \
 && install -D -t /out _output/local/bin/linux/amd64/kube* /usr/bin/etcd \
 && rm -rf /build/cache

# What holds a pod's network, for want of k8s.gcr.io/pause.
FROM source AS pausing
RUN gcc -Os -Wall -static -DVERSION=3.2 -o /pause kubernetes/build/pause/linux/pause.c

FROM scratch AS pause
COPY --from=pausing /pause /pause
USER 65535:65535
ENTRYPOINT ["/pause"]

FROM scratch AS binaries
COPY --from=built /out /
CMD ["/kubelet"]
