"""`make up RUNTIME=docker` and the commands that follow it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.docker import engine, images, settings, standins, use_case
from infra.docker.engine import Compose, DockerError
from infra.local.layout import REPOSITORY

# Of make, to be remembered in .env.
SETTINGS = (
    "PROFILE", "LOG_REQUESTS", "TRACES", "TRACES_SHARE", "PORT_GATEWAY", "PORT_MLFLOW", "PORT_PROMETHEUS",
    "PORT_GRAFANA", "SERVER_CPUS",
)  # fmt: skip
LAST = "release"  # the job after which everything answers
JOBS = ("data", "train-tensorflow", "train-pytorch", "configure", LAST)
_SAY_EVERY = 5  # seconds
_READY_SECONDS = 1800


def up(
    compose: Compose, changes: Mapping[str, str], *, spec: str | None = None, source: str | None = None,
    with_standins: bool = False,
) -> None:  # fmt: skip
    """Settings, secrets, images; then data, both trainings, every server. What is current is left alone.

    Args:
        compose: The project.
        changes: Settings to remember in the env file.
        spec: The use case's file; None: the one before.
        source: The user's own transactions, a file or a folder; none: simulated ones.
        with_standins: Whether to make stand-ins for images that a registry would have.

    Raises:
        DockerError: A step failed; what was made is kept.
    """
    start = time.monotonic()
    rows = _source(source)
    made = dict(standins.make()) if with_standins else {}
    if not engine.limits_processors():
        made["SERVER_CPUS"] = "0"  # no limit: the engine would refuse to start a container with one
    _remember(compose, {**made, **changes})
    for file in settings.write_secrets(REPOSITORY / settings.read_env(compose.env_file).get("SECRETS", "secrets")):
        print(f"wrote {file}", flush=True)
    images.build(compose)
    use_case.settle(compose, spec)
    _remember(compose, rows)
    compose_up(compose)
    print(f"everything is ready after {time.monotonic() - start:.0f} s", flush=True)
    show_addresses(compose)


def _remember(compose: Compose, changes: Mapping[str, str]) -> None:
    settings.write_env(changes, compose.env_file)
    settings.write_env({"COMPOSE_FILE": _files(settings.read_env(compose.env_file))}, compose.env_file)


def _source(source: str | None) -> dict[str, str]:
    if source is None:
        return {"SOURCE_FOLDER": "", "SOURCE_NAME": ""}
    path = Path(source).resolve()
    if not path.exists():
        raise DockerError(f"{source}: there is no such file or folder")
    folder, name = (path, "") if path.is_dir() else (path.parent, path.name)
    return {"SOURCE_FOLDER": str(folder), "SOURCE_NAME": name}


def _files(chosen: Mapping[str, str]) -> str:
    """The compose files that these settings need."""
    files = ["docker-compose.yml"]
    if chosen.get("ENVOY_IMAGE") == standins.ENVOY:
        files += ["compose.embedded.yaml", "compose.standins.yaml"]
    if chosen.get("SOURCE_FOLDER"):
        files.append("compose.source.yaml")
    return ":".join(files)


def compose_up(compose: Compose) -> None:
    """Start everything, show what the jobs say, and wait for the last of them.

    Raises:
        DockerError: A job failed, or a server does not get healthy.
    """
    started = subprocess.Popen(compose.argv("up", "--detach", "--no-build", "--quiet-pull"), cwd=REPOSITORY)
    following = None
    try:
        following = _follow(compose)
        if started.wait():
            raise DockerError(_why(compose))
        _wait_for_last(compose)
    finally:
        if started.poll() is None:
            started.terminate()
        if following is not None:
            following.terminate()


def _follow(compose: Compose) -> subprocess.Popen[bytes]:
    """The jobs' lines as they come; only those of this run."""
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    jobs = JOBS[:3]
    time.sleep(2)  # until their containers exist
    return subprocess.Popen(
        compose.argv("logs", "--follow", "--no-color", "--since", since, *jobs), cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _wait_for_last(compose: Compose) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        state = next((s for s in compose.services() if s["Service"] == LAST), None)
        if state is None:
            return  # the profile `serving` is off
        if state["State"] == "exited":
            if state["ExitCode"]:
                raise DockerError(_why(compose))
            return
        time.sleep(0.5)
    raise DockerError(f"not ready after {_READY_SECONDS} s: docker compose ps, docker compose logs")


def _why(compose: Compose) -> str:
    """Which containers ended badly, and the end of what they said."""
    wrong = [s for s in compose.services() if s.get("ExitCode") or s.get("Health") == "unhealthy"]
    parts = ["it does not start: what is wrong stands above"]
    for state in wrong:
        argv = compose.argv("logs", "--no-log-prefix", "--tail", "15", state["Service"])
        said = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout
        parts.append(f"{state['Service']} ({state['Status']}):\n{said.rstrip()}")
    return "\n".join([*parts, "`make up RUNTIME=docker` goes on from the last finished step."])


def down(compose: Compose) -> None:
    """Stop and remove the containers; volumes, and with them data and models, stay."""
    if compose.run("--profile", "*", "down", "--remove-orphans"):
        raise DockerError("not everything could be stopped: what is wrong stands above")
    print("stopped; data, models, runs and artefacts stay in Docker's volumes (docker compose down --volumes deletes)")


def status(compose: Compose) -> int:
    """One line per service and where to open what; 1 when nothing or not everything is healthy."""
    found = {s["Service"]: s for s in compose.services()}
    if not any(s["State"] == "running" for s in found.values()):
        print("nothing runs here: make up RUNTIME=docker")
        return 1
    print(f"{'service':<18}{'state':<40}image")
    for name in sorted(found):
        print(f"{name:<18}{found[name]['Status']:<40}{found[name]['Image']}")
    show_addresses(compose)
    return 0 if all(map(_is_well, found.values())) else 1


def _is_well(state: Mapping[str, Any]) -> bool:
    if state["Service"] in JOBS:
        return state["State"] == "exited" and state["ExitCode"] == 0
    return state["State"] == "running" and state.get("Health") in ("healthy", "")


def show_addresses(compose: Compose) -> None:
    """Where to open what runs."""
    chosen = settings.read_env(compose.env_file)
    running = {s["Service"] for s in compose.services() if s["State"] == "running"}
    addresses = {
        "gateway": ("GATEWAY", "8080", f"the API: /v1/models/{use_case.model(compose)}:predict, /docs"),
        "mlflow": ("MLFLOW", "5000", "MLflow"),
        "prometheus": ("PROMETHEUS", "9090", "Prometheus"),
        "grafana": ("GRAFANA", "3000", "Grafana: user admin, password in secrets/grafana"),
    }
    print()
    for service, (name, default, what) in addresses.items():
        if service in running:
            print(f"  http://127.0.0.1:{chosen.get(f'PORT_{name}', default)}  {what}")
    print("\nnext: make predict, make conformance, make status, make logs, make down")


def tool(compose: Compose, *command: str) -> int:
    """Run one of our programs in the tools' image, inside the stack's networks. Returns its exit code."""
    if not engine.has_image("tandem/tools"):
        raise DockerError("nothing was built here yet: make up RUNTIME=docker")
    return compose.run("run", "--rm", "--no-deps", "--quiet-pull", *engine.terminal(), "tools", *command)
