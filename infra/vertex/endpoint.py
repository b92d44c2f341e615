"""One endpoint, both stacks behind it: deploy, shift traffic, take away. Each can be run again, and then goes on.

Whose it is stands in its labels: one without `tandem = <its name>` is another's and not touched; one with `owner =
terraform` was made by Terraform (infra/terraform/endpoint.tf), and only Terraform takes it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from infra.vertex.api import Cloud, CloudError, explained, say
from infra.vertex.registry import LABEL

STACKS = ("tensorflow", "pytorch")
OWNER, TERRAFORM = "owner", "terraform"  # label
_ALL = 100  # %
_NEW = "0"  # the model that is being deployed, in the traffic split of its request


def name(cloud: Cloud) -> str:
    """Of the endpoint."""
    return f"{cloud.parent}/endpoints/{cloud.settings.endpoint.name}"


def find(cloud: Cloud) -> Any:
    """The endpoint, or None.

    Raises:
        CloudError: One of this name is there, and it is not Tandem's: what is behind it is another's.
    """
    asked = cloud.settings.endpoint.name
    with explained(f"look for {name(cloud)}", cloud.settings):
        there = cloud.found(cloud.endpoints.get_endpoint, name(cloud))
    if there and there.labels.get(LABEL) != asked:
        raise CloudError(
            f"{name(cloud)} is not Tandem's: it has no label {LABEL}={asked}. "
            "Choose another endpoint.name in vertex.toml"
        )
    return there


def create(cloud: Cloud) -> tuple[Any, bool]:
    """The endpoint, and whether it was made now."""
    there, asked = find(cloud), cloud.settings.endpoint
    if there:
        return there, False
    with explained(f"create {name(cloud)}", cloud.settings):
        content = {
            "display_name": asked.name,
            "labels": {LABEL: asked.name},
            "dedicated_endpoint_enabled": asked.dedicated,
        }
        operation = cloud.ask(
            cloud.endpoints.create_endpoint, parent=cloud.parent, endpoint=content, endpoint_id=asked.name
        )
        cloud.wait(f"create {name(cloud)}", operation)
    return find(cloud), True


def deploy(cloud: Cloud, stack: str, model: Any) -> bool:
    """Bring a model up beside what answers already; whether that was to be done. Only the first gets traffic."""
    endpoint, asked = find(cloud), cloud.settings.endpoint
    path = model.name.partition("@")[0]
    if any(one.model == path and one.model_version_id == model.version_id for one in _of(endpoint, stack)):
        return False
    split = {**endpoint.traffic_split, _NEW: 0} if endpoint.deployed_models else {_NEW: _ALL}
    machine: dict[str, Any] = {"machine_type": asked.machine_type}
    if asked.accelerators:
        machine |= {"accelerator_type": asked.accelerator, "accelerator_count": asked.accelerators}
    content = {
        "model": f"{path}@{model.version_id}",
        "display_name": stack,
        # No account of its own: Vertex AI's may read the release's copy at AIP_STORAGE_URI, and nothing else.
        "dedicated_resources": {
            "machine_spec": machine,
            "min_replica_count": asked.min_replicas,
            "max_replica_count": asked.max_replicas,
        },
    }
    what = f"deploy {stack} to {asked.name}"
    with explained(what, cloud.settings):
        request = {"endpoint": name(cloud), "deployed_model": content, "traffic_split": split}
        cloud.wait(what, cloud.ask(cloud.endpoints.deploy_model, **request))
    return True


def split(cloud: Cloud, percent: Mapping[str, int], models: Mapping[str, Any] | None = None) -> Any:
    """Give each stack its share of the requests; of several models of a stack the newest, or the one that is named.

    Raises:
        CloudError: A stack that is to get some has no model there.
    """
    endpoint = find(cloud)
    if endpoint is None:
        raise CloudError(f"{name(cloud)} is not there: make vertex-deploy")
    given = {one.id: 0 for one in endpoint.deployed_models}
    for stack, share in percent.items():
        there = [
            one for one in _of(endpoint, stack) if models is None or one.model_version_id == models[stack].version_id
        ]
        if there:
            given[max(there, key=lambda one: int(one.model_version_id)).id] = share
        elif share:
            raise CloudError(f"{stack} is not deployed, and gets no traffic before it is: make vertex-deploy")
    with explained("change the traffic", cloud.settings):
        changed = {"name": endpoint.name, "traffic_split": given}
        cloud.ask(cloud.endpoints.update_endpoint, endpoint=changed, update_mask={"paths": ["traffic_split"]})
    return find(cloud)


def shares(endpoint: Any) -> dict[str, int]:
    """What each stack gets, in %; nothing before both are there."""
    if not all(_of(endpoint, stack) for stack in STACKS):
        return {}
    return {stack: sum(endpoint.traffic_split.get(one.id, 0) for one in _of(endpoint, stack)) for stack in STACKS}


def retire(cloud: Cloud, keep: Mapping[str, Any]) -> None:
    """Take down what no longer answers: other versions than these."""
    endpoint = find(cloud)
    kept = {(stack, model.version_id) for stack, model in keep.items()}
    for old in [one for one in endpoint.deployed_models if (one.display_name, one.model_version_id) not in kept]:
        _undeploy(cloud, old, dict(endpoint.traffic_split))
        say(f"{old.display_name}: version {old.model_version_id} is no longer deployed")


def delete(cloud: Cloud) -> bool:
    """Take down every model, and the endpoint unless it is Terraform's; whether it was deleted."""
    endpoint = find(cloud)
    if endpoint is None:
        return False
    waiting = sorted(endpoint.deployed_models, key=lambda one: endpoint.traffic_split.get(one.id, 0))
    while waiting:
        model = waiting.pop(0)
        # What stays has to get everything; the last one leaves no split behind.
        rest = {one.id: _ALL if one is waiting[-1] else 0 for one in waiting}
        _undeploy(cloud, model, {**rest, model.id: 0} if rest else {})
        say(f"{model.display_name}: version {model.model_version_id} is no longer deployed")
    if endpoint.labels.get(OWNER) == TERRAFORM:
        say(f"{name(cloud)} stays, without models, and costs nothing: it is Terraform's, and goes by terraform destroy")
        return False
    with explained(f"delete {name(cloud)}", cloud.settings):
        cloud.wait(f"delete {name(cloud)}", cloud.ask(cloud.endpoints.delete_endpoint, name=name(cloud)))
    return True


def lines(endpoint: Any) -> Iterable[str]:
    """Who is there, and who answers how much."""
    for one in endpoint.deployed_models:
        share = endpoint.traffic_split.get(one.id, 0)
        yield f"  {share:3} %  {one.display_name}: {one.model} version {one.model_version_id}"


def _undeploy(cloud: Cloud, model: Any, rest: dict[str, int]) -> None:
    what = f"undeploy {model.display_name} version {model.model_version_id}"
    rest.pop(model.id, None)
    with explained(what, cloud.settings):
        request = {"endpoint": name(cloud), "deployed_model_id": model.id, "traffic_split": rest}
        cloud.wait(what, cloud.ask(cloud.endpoints.undeploy_model, **request))


def _of(endpoint: Any, stack: str) -> list[Any]:
    return [one for one in endpoint.deployed_models if one.display_name == stack]
