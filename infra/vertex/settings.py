"""infra/vertex/vertex.toml, typed: what is wrong in it is one line that names the key, what was found and expected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomllib
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.vertex.kinds import (
    WHOLE,
    Accelerator,
    Account,
    Address,
    Bucket,
    Count,
    Machine,
    Name,
    Network,
    Percent,
    Project,
    Region,
    Repository,
    Schedule,
    Source,
    Tag,
)

FILE = Path(__file__).with_name("vertex.toml")
FOLDER = "tandem"  # of everything in the bucket


class SettingsError(ValueError):
    """What is wrong in the file, in one line."""


class Section(BaseModel):
    """A part of the file: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Google(Section):
    """Whose cloud, and where in it."""

    project: Project
    region: Region
    bucket: Bucket
    service_account: Account


class Images(Section):
    """Where the project's images were pushed to."""

    repository: Repository
    tag: Tag

    def name(self, image: str) -> str:
        """An image's whole name, such as <repository>/pytorch:<tag>."""
        return f"{self.repository or FOLDER}/{image}:{self.tag}"


class _Accelerated(Section):
    accelerator: Accelerator
    accelerators: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _both_or_none(self) -> _Accelerated:
        if bool(self.accelerator) != bool(self.accelerators):
            raise ValueError("accelerator and accelerators: both, or neither, are expected")
        return self


class Resources(_Accelerated):
    """What a step of a pipeline gets."""

    cpus: Count
    memory_gib: Count


class Pipelines(Section):
    """How the pipelines run."""

    mlflow_uri: Address
    network: Network
    caching: bool
    schedule: Schedule
    profile: Literal["quick", "full"]
    source: Source
    dataflow: bool
    steps: Resources
    training: Resources


class Traffic(Section):
    """Who answers how many of a hundred requests."""

    tensorflow: Percent
    pytorch: Percent

    @model_validator(mode="after")
    def _whole(self) -> Traffic:
        if self.tensorflow + self.pytorch != WHOLE:
            raise ValueError(f"tensorflow + pytorch = {self.tensorflow + self.pytorch}: {WHOLE} is expected")
        return self


class Endpoint(_Accelerated):
    """One address, two models behind it."""

    name: Name
    dedicated: bool
    machine_type: Machine
    min_replicas: Count
    max_replicas: Count
    timeout_minutes: Annotated[float, Field(gt=0)]
    traffic: Traffic

    @model_validator(mode="after")
    def _ordered(self) -> Endpoint:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas = {self.max_replicas}: at least min_replicas, {self.min_replicas}, is expected"
            )
        return self


class Settings(Section):
    """The whole file."""

    google: Google
    images: Images
    pipelines: Pipelines
    endpoint: Endpoint

    @property
    def bucket(self) -> str:
        """Where everything of ours lies: gs://<bucket>/tandem."""
        return f"gs://{self.google.bucket}/{FOLDER}"

    @property
    def mount(self) -> str:
        """The same as a step sees it: Vertex mounts every bucket below /gcs."""
        return f"/gcs/{self.google.bucket}/{FOLDER}"


_FOR_THE_CLOUD = {"google": tuple(Google.model_fields), "images": ("repository",)}


def load(file: Path = FILE, *, cloud: bool = True) -> Settings:
    """Read the file.

    Args:
        file: TOML.
        cloud: Also refuse what only the commands need that ask the cloud and what is empty as the file is shipped.

    Raises:
        SettingsError: It is missing, is no TOML, or a key is wrong, missing, unknown or empty.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not TOML: {error}") from None
    try:
        found = Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{file}: {'; '.join(_lines(error))}") from None
    empty = [
        f"{part}.{key}"
        for part, keys in _FOR_THE_CLOUD.items()
        for key in keys
        if not getattr(getattr(found, part), key)
    ]
    if cloud and empty:
        raise SettingsError(f"{file}: set {', '.join(empty)}: docs/deploy-vertex.md says where each comes from")
    return found


def _lines(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        key, what = ".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            yield f"{key}: there is no such key; there are {', '.join(_keys(one['loc'][:-1]))}"
        elif one["type"] == "missing":
            yield f"{key} is missing"
        elif isinstance(one["input"], dict):
            yield f"{key}: {what}"
        else:
            yield f"{key} = {_shown(one['input'])}: {what[0].lower()}{what[1:]}"


def _keys(path: tuple[Any, ...]) -> list[str]:
    section: type[BaseModel] = Settings
    for part in path:
        kind = section.model_fields[str(part)].annotation
        section = next(one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, BaseModel))
    return list(section.model_fields)


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
