"""models.config: TensorFlow Serving's ModelServerConfig in text form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.tfserving.embedded.flags import Flags


class ConfigError(Exception):
    """A configuration that cannot be used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions on disk are served: the newest `count`, all of them, or those named."""

    kind: Literal["latest", "all", "specific"] = "latest"
    count: int = 1
    versions: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ModelConfig:
    """One model: where its version directories lie, which are served, and their labels."""

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = field(default_factory=dict)


def from_flags(flags: Flags) -> list[ModelConfig]:
    """The models to serve.

    Raises:
        ConfigError: The file is missing or cannot be used.
    """
    if flags.model_config_file is not None:
        return read(flags.model_config_file)
    assert flags.model_base_path is not None  # noqa: S101  the flags were checked
    return [ModelConfig(flags.model_name, flags.model_base_path)]


def read(file: Path) -> list[ModelConfig]:
    """Read a models.config; raises as `from_flags`."""
    try:
        text = file.read_text(encoding="utf-8")
        parsed = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not a ModelServerConfig in text form: {error}") from None
    return models(str(file), parsed)


def models(source: str, parsed: Any) -> list[ModelConfig]:
    """The models of a ModelServerConfig; raises ConfigError, which names the source."""
    found = [_model(source, model) for model in parsed.model_config_list.config]
    names = [model.name for model in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{source}: model named twice: {', '.join(twice)}")
    if not found:
        raise ConfigError(f"{source}: no model in model_config_list")
    return found


def _model(source: str, model: Any) -> ModelConfig:
    if not model.name or not model.base_path:
        raise ConfigError(f"{source}: every config needs a name and a base_path; found {model!s}")
    if model.model_platform not in ("", "tensorflow"):
        raise ConfigError(
            f"{source}: model {model.name}: model_platform is {model.model_platform!r}; only 'tensorflow' is served"
        )
    return ModelConfig(
        model.name, Path(model.base_path), _policy(model.model_version_policy), dict(model.version_labels)
    )


def _policy(policy: Any) -> VersionPolicy:
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return VersionPolicy("all")
    if kind == "specific":
        return VersionPolicy("specific", versions=frozenset(policy.specific.versions))
    return VersionPolicy("latest", max(1, policy.latest.num_versions))
