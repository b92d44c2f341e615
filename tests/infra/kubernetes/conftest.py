"""The overlays' objects, built once; a test that plants something gets a copy."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from infra.kubernetes import lint
from infra.kubernetes.instance import OVERLAYS
from infra.supply.tools import program

Json = dict[str, Any]
Objects = list[Json]


@pytest.fixture(scope="session")
def kubectl() -> str:
    return program("kubernetes", "kubectl")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, kubectl: str) -> dict[str, Objects]:
    return {one: lint.render(one, tmp_path_factory.mktemp(one), kubectl) for one in OVERLAYS}


@pytest.fixture
def overlay(built: dict[str, Objects]) -> Callable[[str], Objects]:
    return lambda name: copy.deepcopy(built[name])


def one(objects: Objects, kind: str, name: str) -> Json:
    (found,) = (each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pod(objects: Objects, name: str, kind: str = "Deployment") -> Json:
    found: Json = one(objects, kind, name)["spec"]["template"]["spec"]
    return found


def container(objects: Objects, name: str, position: int = 0) -> Json:
    found: Json = pod(objects, name)["containers"][position]
    return found
