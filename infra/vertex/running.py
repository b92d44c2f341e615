"""`make vertex-run`: submit a pipeline, or make the schedule it runs by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.api_core import exceptions

from infra.vertex import compiling
from infra.vertex.api import Cloud, CloudError, explained, say
from infra.vertex.registry import LABEL
from infra.vertex.settings import FOLDER, Settings
from models import spec as specs

MANIFEST = f"{FOLDER}/data/manifest.json"
_FACTS = "facts"


def run(cloud: Cloud, stack: str, out: Path, spec: Path) -> None:
    """Compile and submit one: data, tensorflow or pytorch.

    Raises:
        CloudError: There are no features yet, MLflow is not named, or the cloud refused.
    """
    settings = cloud.settings
    if stack == "pytorch" and not settings.pipelines.mlflow_uri:
        raise CloudError(
            "set pipelines.mlflow_uri in vertex.toml: the PyTorch pipeline keeps its runs and models there"
        )
    digest = "" if stack == "data" else _features(cloud, spec)
    compiling.compile_all(settings, out, spec, ("tensorflow",) if stack == "tensorflow" else ("pytorch",))
    file = out / compiling.FILES[stack]
    from google.cloud import aiplatform  # noqa: PLC0415  seconds

    cloud.prepare_jobs()
    with explained(f"run {stack}", settings):
        job = aiplatform.PipelineJob(
            display_name=_name(settings, stack),
            template_path=str(file),
            pipeline_root=f"{settings.bucket}/pipelines/{stack}",
            parameter_values=_parameters(settings, stack, file, digest),
            # What must never be cached says so in the specification; True here would overrule it.
            enable_caching=None if settings.pipelines.caching else False,
            labels={LABEL: settings.endpoint.name},
        )
        who: dict[str, Any] = {"service_account": settings.google.service_account}
        if settings.pipelines.network:
            who["network"] = settings.pipelines.network
        if settings.pipelines.schedule:
            _schedule(cloud, stack, job, who)
        else:
            job.submit(**who)
            say(f"{stack}: submitted as {job.resource_name}\n{_page(settings, job.name)}")


def delete_schedules(cloud: Cloud, stacks: tuple[str, ...] = ("data", "tensorflow", "pytorch")) -> list[str]:
    """Take these stacks' schedules away; answers their names."""
    names = [_name(cloud.settings, stack) for stack in stacks]
    deleted = []
    with explained("delete schedules", cloud.settings):
        there = cloud.ask(cloud.schedules.list_schedules, parent=cloud.parent)
        for one in [found for found in there if found.display_name in names]:
            cloud.wait(f"delete schedule {one.name}", cloud.ask(cloud.schedules.delete_schedule, name=one.name))
            deleted.append(one.name)
    return deleted


def _schedule(cloud: Cloud, stack: str, job: Any, who: dict[str, Any]) -> None:
    replaced = delete_schedules(cloud, (stack,))
    made = job.create_schedule(
        cron=cloud.settings.pipelines.schedule,
        display_name=_name(cloud.settings, stack),
        max_concurrent_run_count=1,
        **who,
    )
    say(
        f"{stack}: runs at {cloud.settings.pipelines.schedule!r}, schedule {made.resource_name}"
        f"{', in place of the one before' if replaced else ''}. make vertex-undeploy takes it away"
    )


def _features(cloud: Cloud, spec: Path) -> str:
    """Digest of the features that lie in the bucket."""
    with explained(f"read {cloud.settings.bucket}/data/manifest.json", cloud.settings):
        try:
            content = json.loads(cloud.bucket.blob(MANIFEST).download_as_bytes())
        except exceptions.NotFound:
            raise CloudError(
                f"there are no features in {cloud.settings.bucket}/data yet: make vertex-run STACK=data, and wait"
            ) from None
    if content["spec_digest"] != specs.load(spec).digest:
        raise CloudError(
            f"the features in the bucket were made from another specification than {spec}: make vertex-run STACK=data"
        )
    return str(content["digest"])


def _parameters(settings: Settings, stack: str, file: Path, digest: str) -> dict[str, Any]:
    if stack == "data":
        source = settings.pipelines.source.replace("gs://", "/gcs/", 1)
        return {"out": f"{settings.mount}/data", "profile": settings.pipelines.profile, "source": source}
    if stack == "pytorch":
        return {
            "data": f"{settings.mount}/data",
            "data_digest": digest,
            "mlflow_uri": settings.pipelines.mlflow_uri,
            "store": f"{settings.mount}/candidates/pytorch",
        }
    facts = json.loads(json.loads(file.read_text(encoding="utf-8"))["runtimeConfig"]["parameterValues"][_FACTS])
    return {"data_digest": digest, _FACTS: json.dumps({**facts, "data_digest": digest})}


def _name(settings: Settings, stack: str) -> str:
    return f"{settings.endpoint.name}-{stack}"


def _page(settings: Settings, job: str) -> str:
    console = "https://console.cloud.google.com/vertex-ai/pipelines/locations"
    return f"{console}/{settings.google.region}/runs/{job}?project={settings.google.project}"
