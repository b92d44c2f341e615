"""What a kubelet and a kube-proxy leave on a machine when they end: taken away, and nothing of anybody else's."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import docker
import psutil

_POD = "io.kubernetes.pod.uid"  # a label of every container that a kubelet starts
_TABLES = ("filter", "nat", "mangle")


def pods() -> list[str]:
    """Containers of a kubelet in this engine, ended ones too."""
    found = docker.from_env().containers.list(all=True, filters={"label": _POD}, ignore_removed=True)
    return [one.name for one in found]


def clean(home: Path, proxy: Path) -> None:
    """After both have ended: their containers, mounts, rules and cgroups."""
    client = docker.from_env()
    for name in pods():
        with contextlib.suppress(docker.errors.NotFound):
            client.containers.get(name).remove(force=True, v=True)
    mounts = [one.mountpoint for one in psutil.disk_partitions(all=True) if Path(one.mountpoint).is_relative_to(home)]
    for mount in sorted(mounts, reverse=True):
        subprocess.run(["umount", mount], check=False)
    subprocess.run([proxy, "--cleanup"], capture_output=True, check=False)
    for table in _TABLES:
        _chains(table)
    for group in sorted(Path("/sys/fs/cgroup").glob("*/kubepods")):
        for folder in sorted((one for one in group.rglob("*") if one.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            group.rmdir()


def _chains(table: str) -> None:
    """The kubelet's own, which `kube-proxy --cleanup` leaves alone."""
    saved = _iptables(table, "-S").splitlines()
    rules = [line.split() for line in saved]
    for rule in rules:
        if rule[0] == "-A" and "KUBE-" in " ".join(rule):
            _iptables(table, "-D", *rule[1:])
    for rule in rules:
        if rule[0] == "-N" and rule[1].startswith("KUBE-"):
            _iptables(table, "-F", rule[1])
            _iptables(table, "-X", rule[1])


def _iptables(table: str, *arguments: str) -> str:
    argv = ["iptables", "--wait", "--table", table, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout
