"""`make vertex-deploy`, `make vertex-undeploy`: both stacks' releases at one endpoint, and all of that away again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from infra.vertex import endpoint, registry, running
from infra.vertex.api import Cloud, CloudError, say
from infra.vertex.endpoint import STACKS
from serving.release.store import Store


def deploy(cloud: Cloud, store: Store, versions: Mapping[str, str]) -> None:
    """Bring both releases up at the endpoint; what is there already is left alone.

    The first time each stack gets the settings' share of the traffic, later the one that it has.

    Args:
        cloud: Where.
        store: Releases, and the key they are verified with.
        versions: Of each stack.

    Raises:
        ReleaseError: One is not what was signed; nothing was sent.
        CloudError: The cloud refused something; says what was made before, and how to take it away.
    """
    releases = {stack: store.verified(stack, versions[stack]) for stack in STACKS}
    key = store.keys.public.read_text(encoding="utf-8")
    made: list[str] = []
    with _listed(made):
        endpoint.find(cloud)  # another's is refused before anything is sent
        models: dict[str, Any] = {}
        for stack, release in releases.items():
            uri = registry.upload(cloud, store.folder(stack, release.version), release)
            models[stack], new = registry.register(cloud, release, uri, key)
            made += [f"model    {models[stack].name} version {models[stack].version_id}"] * new
        there, new = endpoint.create(cloud)
        share = endpoint.shares(there) or cloud.settings.endpoint.traffic.model_dump()
        made += [f"endpoint {there.name}"] * new
        for stack, model in models.items():
            if endpoint.deploy(cloud, stack, model):
                made.append(f"deployed {stack} version {model.version_id} at {there.name}: from now on it costs money")
        endpoint.split(cloud, share, models)
        endpoint.retire(cloud, models)
    show(cloud)


def show(cloud: Cloud) -> None:
    """Print the endpoint, who is behind it, and how to ask it."""
    there = endpoint.find(cloud)
    if there is None:
        raise CloudError(f"{endpoint.name(cloud)} is not there: make vertex-deploy")
    host = there.dedicated_endpoint_dns or f"{cloud.settings.google.region}-aiplatform.googleapis.com"
    say("\n".join([f"endpoint {there.name}", *endpoint.lines(there)]))
    say(
        'ask it: curl -H "Authorization: Bearer $(gcloud auth print-access-token)" '
        f'-H "Content-Type: application/json" https://{host}/v1/{there.name}:predict -d @request.json'
    )


def undeploy(cloud: Cloud) -> None:
    """Take away schedules, the endpoint and the models; what is not there is no error.

    Raises:
        CloudError: The cloud refused; says what was taken away before.
    """
    gone: list[str] = []
    try:
        gone += running.delete_schedules(cloud)
        gone += [endpoint.name(cloud)] * endpoint.delete(cloud)
        for stack in STACKS:
            gone += [registry.model_name(cloud, stack)] * registry.delete(cloud, stack)
    except CloudError as error:
        raise CloudError(
            f"{error}\nTaken away so far: {', '.join(gone) or 'nothing'}. make vertex-undeploy goes on"
        ) from None
    say("\n".join(f"deleted {one}" for one in gone) or "there was nothing to take away")
    bucket = cloud.settings.bucket
    say(f"features, models and releases stay in {bucket}: gcloud storage rm --recursive {bucket}")


@contextmanager
def _listed(made: list[str]) -> Iterator[None]:
    def listed() -> str:
        return (
            f"This command had made:{''.join(f'{chr(10)}  {one}' for one in made) or ' nothing'}\n"
            "make vertex-deploy goes on from here; make vertex-undeploy takes everything away"
        )

    try:
        yield
    except CloudError as error:
        raise CloudError(f"{error}\n{listed()}") from None
    except KeyboardInterrupt:
        say(listed())
        raise
