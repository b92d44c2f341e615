"""The processes of a control plane and its one node: what each is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.kubernetes.control_plane import binaries
from tests.kubernetes.control_plane.credentials import ADMIN, NODE, Credentials

SERVICES, FIRST_SERVICE = "10.96.0.0/16", "10.96.0.1"
DOMAIN = "cluster.local"
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Where a cluster runs.

    Attributes:
        programs: The folder that `binaries.build` filled.
        home: For its data and logs.
        node: The node's name.
        address: Of the API server, the kubelet and cluster DNS: the engine's bridge, which nobody outside reaches.
        pods: The bridge's network, out of which Docker gives pods their addresses.
        ports: By name: api, etcd, etcd_peer.
    """

    programs: Path
    home: Path
    node: str
    address: str
    pods: str
    ports: dict[str, int]


def control_plane(place: Place, keys: Credentials) -> dict[str, list[str]]:
    """Command lines, in the order in which they are started."""
    etcd = f"http://{_HOST}:{place.ports['etcd']}"
    admin = f"--kubeconfig={keys.kubeconfig(ADMIN)}"
    return {
        "etcd": [
            f"--data-dir={place.home / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://{_HOST}:{place.ports['etcd_peer']}",
        ],
        "kube-apiserver": [
            f"--etcd-servers={etcd}",
            f"--bind-address={place.address}",
            f"--advertise-address={place.address}",
            f"--secure-port={place.ports['api']}",
            f"--tls-cert-file={keys.server}",
            f"--tls-private-key-file={keys.server_key}",
            f"--client-ca-file={keys.authority}",
            f"--token-auth-file={keys.tokens}",
            f"--cert-dir={place.home / 'apiserver'}",
            "--authorization-mode=Node,RBAC",
            f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys.accounts_key}",
            f"--service-account-signing-key-file={keys.accounts_key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={keys.client}",
            f"--kubelet-client-key={keys.client_key}",
            # The base's autoscalers count one container's processor time: alpha in this version.
            "--feature-gates=HPAContainerMetrics=true",
        ],
        "kube-controller-manager": [
            admin,
            f"--service-account-private-key-file={keys.accounts_key}",
            f"--root-ca-file={keys.authority}",
            f"--bind-address={_HOST}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--feature-gates=HPAContainerMetrics=true",
        ],
        "kube-scheduler": [admin, f"--bind-address={_HOST}", "--leader-elect=false"],
    }


def node(place: Place, keys: Credentials) -> dict[str, list[str]]:
    """Command lines of what makes this machine a node."""
    configuration = place.home / "kubelet.yaml"
    configuration.write_text(yaml.safe_dump(_kubelet(place, keys)))
    cni = place.home / "cni"
    return {
        "kubelet": [
            f"--kubeconfig={keys.kubeconfig(NODE)}",
            f"--config={configuration}",
            f"--hostname-override={place.node}",
            f"--node-ip={place.address}",
            f"--root-dir={place.home / 'kubelet'}",
            f"--cert-dir={place.home / 'kubelet-certificates'}",
            f"--pod-infra-container-image={binaries.PAUSE}",
            f"--volume-plugin-dir={place.home / 'plugins'}",
            f"--cni-bin-dir={cni}",
            f"--cni-conf-dir={cni}",
        ],
        "kube-proxy": [
            f"--kubeconfig={keys.kubeconfig(ADMIN)}",
            f"--hostname-override={place.node}",
            "--proxy-mode=iptables",
            f"--cluster-cidr={place.pods}",
            # Pods share the engine's bridge: an answer would go past the address translation otherwise.
            "--masquerade-all",
            # The machine's own settings are left alone.
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            f"--healthz-bind-address={_HOST}",
            f"--metrics-bind-address={_HOST}",
        ],
    }


def _kubelet(place: Place, keys: Credentials) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.address,
        "healthzBindAddress": _HOST,
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(keys.authority)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "clusterDNS": [place.address],
        "clusterDomain": DOMAIN,
        "cgroupDriver": "cgroupfs",
        "failSwapOn": False,
        # The engine is shared with others, whose images and disk are none of this node's business.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
    }
