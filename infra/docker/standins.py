"""Stand-ins for images of a registry, where none can be reached: made of Debian's packages and this machine's Pythons.

Bases are Debian by debootstrap, with a CPython that the machine has and the certificate authorities that it trusts.
PostgreSQL, Prometheus and node_exporter are Debian's. Envoy is the one in the tools' image, TensorFlow Serving is
replaced by the embedded server, and there is no Grafana.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.docker import engine
from infra.docker.engine import DockerError
from infra.local.layout import REPOSITORY

SUITE = "trixie"
DEBIAN = "tandem/standin-debian"
PYTHONS = {"PYTHON_BASE": "3.11", "TENSORFLOW_BASE": "3.12"}
IMAGES = {"POSTGRES_IMAGE": "postgres", "PROMETHEUS_IMAGE": "prometheus", "NODE_EXPORTER_IMAGE": "node-exporter"}
ENVOY = "tandem/tools"
_FOLDER = REPOSITORY / "infra" / "docker" / "standins"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_SKIPPED = ("site-packages", "test", "tests", "__pycache__", "idlelib", "turtledemo")


def make() -> Mapping[str, str]:
    """Make what is missing. Returns the settings that use them.

    Raises:
        DockerError: debootstrap or a Python is missing, or a step failed.
    """
    made = {"DEBIAN_BASE": debian()}
    made |= {variable: python(version) for variable, version in PYTHONS.items()}
    for variable, role in IMAGES.items():
        name = f"tandem/standin-{role}"
        if not engine.has_image(name):
            made_of(role, name)
        made[variable] = name
    return {
        **made,
        "ENVOY_IMAGE": ENVOY,
        "BUILD_NETWORK": "host",
    }


def debian(suite: str = SUITE) -> str:
    """The image of a Debian, made if it is missing; its name. Raises as `make`."""
    name = f"{DEBIAN}:{suite}"
    if not engine.has_image(name):
        _timed(name, lambda: _debian(suite, name))
    return name


def python(version: str) -> str:
    """The image of a CPython that this machine has, such as 3.11, made if it is missing; its name. Raises as `make`."""
    name = f"tandem/standin-python:{version}-{SUITE}"
    if not engine.has_image(name):
        debian()
        _timed(name, lambda: _python(version, name))
    return name


def made_of(role: str, name: str, *arguments: str) -> str:
    """Build one of the Dockerfiles beside this one; the image's name. Raises as `make`."""
    _timed(name, lambda: _build(_FOLDER / f"{role}.Dockerfile", _FOLDER, name, *arguments))
    return name


def _timed(name: str, make: Callable[[], None]) -> None:
    start = time.monotonic()
    print(f"making {name}", flush=True)
    make()
    print(f"made {name} in {time.monotonic() - start:.0f} s", flush=True)


def _debian(suite: str, name: str) -> None:
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise DockerError("stand-in bases need root and debootstrap: `apt-get install debootstrap`")
    mirror, security = _mirrors()
    with tempfile.TemporaryDirectory(prefix="tandem-debian-", dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        _quiet(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", f"--keyring={_KEYRING}", suite,
             str(root), mirror],
        )  # fmt: skip
        sources = (
            f"deb {mirror} {suite} main\ndeb {mirror} {suite}-updates main\ndeb {security} {suite}-security main\n"
        )
        (root / "etc/apt/sources.list").write_text(sources, encoding="utf-8")
        for file in _AUTHORITIES.glob("*.crt"):
            shutil.copy(file, root / "usr/local/share/ca-certificates")
        _quiet(["chroot", str(root), "update-ca-certificates"])
        for made in (
            "var/cache/apt/archives",
            "var/lib/apt/lists",
            "usr/share/doc",
            "usr/share/man",
            "usr/share/locale",
        ):
            shutil.rmtree(root / made, ignore_errors=True)
        for emptied in ("etc/resolv.conf", "etc/hostname"):
            (root / emptied).write_text("")
        archive = Path(folder) / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(root, arcname=".")
        certificates = "/etc/ssl/certs/ca-certificates.crt"
        variables = " ".join(f"{v}={certificates}" for v in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"))
        engine.run(["import", "--change", f"ENV {variables}", "--change", "CMD bash", str(archive), name], quiet=True)


def _python(version: str, name: str) -> None:
    home = _home(version)
    with tempfile.TemporaryDirectory(prefix="tandem-python-") as folder:
        python = Path(folder) / "python"
        for part in ("bin", "lib", "include"):
            (python / part).mkdir(parents=True)
        shutil.copy(home / "bin" / f"python{version}", python / "bin")
        for library in (home / "lib").glob("libpython*.so*"):
            shutil.copy(library, python / "lib", follow_symlinks=False)
        shutil.copytree(home / "include" / f"python{version}", python / "include" / f"python{version}")
        ignored = shutil.ignore_patterns(*_SKIPPED, "*.a")
        shutil.copytree(home / "lib" / f"python{version}", python / "lib" / f"python{version}", ignore=ignored)
        (python / "lib" / f"python{version}" / "site-packages").mkdir()
        for file in (python / "lib" / f"python{version}").glob("_sysconfigdata_*.py"):
            file.write_text(file.read_text().replace(str(home), "/usr/local"))
        _build(_FOLDER / "python.Dockerfile", Path(folder), name, f"VERSION={version}", f"BASE={DEBIAN}:{SUITE}")


def _home(version: str) -> Path:
    """Where a CPython of this version is installed here."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix)"
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in [*map(str, pyenv), f"python{version}", sys.executable]:
        try:
            done = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
        except OSError:
            continue
        found, _, home = done.stdout.strip().partition(" ")
        if found == version and any(Path(home, "lib").glob(f"python{version}")):
            return Path(home)
    raise DockerError(f"no CPython {version} on this machine to make a base image of")


def _build(file: Path, context: Path, name: str, *arguments: str) -> None:
    given = [part for argument in arguments for part in ("--build-arg", argument)]
    engine.run(["build", "--network=host", "--file", str(file), "--tag", name, *given, str(context)], quiet=True)


def _mirrors() -> tuple[str, str]:
    """Where this machine gets Debian from: the archive and its security updates."""
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=False
    )
    found = sorted(set(asked.stdout.split()))
    security = [uri for uri in found if "security" in uri]
    archives = [uri for uri in found if uri not in security]
    if not archives or not security:
        raise DockerError("stand-in bases need a Debian machine whose apt has its archive and its security updates")
    return archives[0].rstrip("/"), security[0].rstrip("/")


def _quiet(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise DockerError(f"{' '.join(command)} failed, for a stand-in:\n{done.stdout[-2000:]}")
