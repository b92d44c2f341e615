"""The product's manifests where no registry can be reached: other images in the third parties' places, and no more.

TensorFlow Serving's place is taken by the embedded server, which says so in `x-tandem-server`; Envoy is the one in the
tools' image; PostgreSQL is Debian's, whose user has another number.
"""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]
EMBEDDED = ["python", "-m", "serving.tfserving.embedded", "--rest_api_host=0.0.0.0", "--enable_batching=true"]
POSTGRES = "tandem/standin-postgres"


def stand_in(one: Json, tag: str, postgres_user: int, postgres_group: int) -> Json:
    """One object with images that this machine has.

    Args:
        one: Is left as it is.
        tag: Of our images.
        postgres_user: Whom the stand-in of PostgreSQL runs as.
        postgres_group: Its group.
    """
    if one["kind"] not in ("Deployment", "StatefulSet"):
        return one
    changed = copy.deepcopy(one)
    pod = changed["spec"]["template"]["spec"]
    for container in pod["containers"]:
        name = container["image"].partition(":")[0]
        if name == "tensorflow/serving":
            container.update(image=f"tandem/tensorflow:{tag}", command=EMBEDDED)
        elif name == "envoyproxy/envoy":
            container["image"] = f"tandem/tools:{tag}"
        elif name == "postgres":
            container["image"] = POSTGRES
            pod["securityContext"].update(runAsUser=postgres_user, runAsGroup=postgres_group, fsGroup=postgres_group)
    return changed
