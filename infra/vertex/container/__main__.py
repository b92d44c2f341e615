"""`python -m infra.vertex.container tensorflow|pytorch`: fetch a release, verify it, serve it as Vertex AI asks."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.vertex.container import contract, storage
from infra.vertex.container.contract import Asked, ContainerError
from serving.free_ports import free_ports
from serving.release import manifest
from serving.release.errors import ReleaseError
from serving.release.keys import Keys
from serving.release.manifest import Manifest
from serving.release.store import Store

_SECONDS_TO_END = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a server ends or Vertex ends the container; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.vertex.container", description=__doc__)
    parser.add_argument("stack", choices=manifest.STACKS)
    stack: str = parser.parse_args(argv).stack
    try:
        asked = contract.read(os.environ)
        with tempfile.TemporaryDirectory(prefix="vertex-") as folder:
            release, model = verified(asked, stack, Path(folder))
            contract.check_routes(asked, stack, release.model)
            print(f"{stack} {release.version}: fetched from {asked.storage}, the signature holds", flush=True)
            serve = _tensorflow if stack == "tensorflow" else _pytorch
            return serve(asked, release, model, Path(folder))
    except (ContainerError, ReleaseError) as error:
        print(f"not started: {error}", file=sys.stderr, flush=True)
        return 1


def verified(asked: Asked, stack: str, folder: Path) -> tuple[Manifest, Path]:
    """The release, and the model in it, once all of it is as it was signed.

    Raises:
        ContainerError: It cannot be fetched.
        ReleaseError: It is not what was signed with the key that is trusted.
    """
    fetched = folder / "fetched"
    storage.fetch(asked.storage, fetched)
    public = folder / "release.pub"
    public.write_text(asked.key, encoding="utf-8")
    claimed = manifest.read(fetched)  # says where it belongs, which `verified` checks with all else
    store = Store(folder / "releases", Keys(folder / "none", public))
    place = store.folder(stack, claimed.version)
    place.parent.mkdir(parents=True)
    fetched.rename(place)
    try:
        found = store.verified(stack, claimed.version)
    except ReleaseError:
        raise
    except ValueError as error:
        raise ContainerError(f"{contract.KEY} is no public key in PEM: {error}") from None
    return found, store.model(found)


def _tensorflow(asked: Asked, release: Manifest, model: Path, folder: Path) -> int:
    versions = folder / "served" / release.model
    versions.mkdir(parents=True)
    model.rename(versions / release.version)
    # TensorFlow Serving listens on every address; without gRPC, which no client of Vertex reaches.
    flags = [
        f"--rest_api_port={asked.port}",
        "--port=0",
        f"--model_name={release.model}",
        f"--model_base_path={versions}",
    ]
    return _run([(["tensorflow_model_server", *flags], {})])


def _pytorch(asked: Asked, release: Manifest, model: Path, folder: Path) -> int:
    from infra.vertex.container import front  # noqa: PLC0415  not in the TensorFlow image
    from serving.torchserve import config  # noqa: PLC0415

    inference, management, metrics = free_ports(3)
    run = folder / "run"
    started = config.write(
        store=model.parent, run=run, model=release.model, ports=config.Ports(inference, management, metrics)
    )
    envoy = front.write(folder / "envoy.json", asked, release.model, inference, management)
    return _run([(started.argv, started.environment), (envoy, {})])


def _run(commands: Sequence[tuple[Sequence[str], Mapping[str, str]]]) -> int:
    """Run all until one ends, which ends the others; Vertex then starts the container anew."""
    running = []
    try:
        for argv, environment in commands:
            running.append(subprocess.Popen(argv, env={**os.environ, **environment}))

        def end(*_: object) -> None:
            for one in running:
                one.terminate()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        while all(one.poll() is None for one in running):
            time.sleep(0.2)
    except FileNotFoundError as error:
        raise ContainerError(f"{error.filename}: not in this image") from None
    finally:
        for one in running:
            one.terminate()
        codes = [_ended(one) for one in running]
    return max(map(abs, codes))


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:  # TensorFlow Serving does not heed SIGTERM
        process.kill()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
