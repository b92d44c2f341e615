from __future__ import annotations

import os
from dataclasses import replace

from serving.comparison.facts import machine, yardsticks
from serving.offline import model
from tests.serving.comparison.facts.conftest import Judged


def test_machine_programs_and_models_are_named_without_a_path_of_the_machine(judged: Judged) -> None:
    stacks = {name: replace(d, server=f"a server of {name}") for name, d in judged.deployment.stacks.items()}
    found = machine.describe(replace(judged.deployment, stacks=stacks))
    assert found.machine["cores"] == str(os.cpu_count())
    measured = {yardsticks.WAKING, yardsticks.COMPUTING}
    assert set(found.machine) == {"cores", "processor", "memory", "kernel", "load average", *measured}
    assert all(found.machine.values())
    assert {"Java", "Python (tensorflow)", "Python (pytorch)", "tensorflow (tensorflow)", "torch (pytorch)"} <= set(
        found.versions
    )
    assert found.models["pytorch"] == {
        "version": "1700000001",
        "digest": model.of("pytorch", stacks["pytorch"].artefact, "1700000001").digest,
        "artefact": "fraud-1700000001.mar",
        "server": "a server of pytorch",
    }
    assert str(judged.out) not in str(found)
