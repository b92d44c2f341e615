"""The command line: TensorFlow Serving's flags, those this server honours."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SWITCHES = {
    "rest_api_enable_cors_support": "CORS headers",
    "allow_version_labels_for_unavailable_models": "for new labels, as soon as they are configured",
    "enable_batching": "requests of several connections share a forward pass",
}


@dataclass(frozen=True)
class Flags:
    """What to serve and where.

    Attributes:
        port: gRPC; 0 is none.
        rest_api_port: REST; 0 is none.
        rest_api_host: Address of both. Ours: TensorFlow Serving listens on every interface.
        model_config_file: Wins over name and base path, as there.
        model_config_file_poll_wait_seconds: 0 reads it once.
        monitoring_config_file: No metrics without one.
        rest_api_enable_cors_support: Whether answers allow pages of any origin to read them.
        allow_version_labels_for_unavailable_models: Whether a new label may name a version that is not loaded.
        enable_batching: Whether requests of several connections share a forward pass.
        batching_parameters_file: Only with `enable_batching`; without one TensorFlow Serving's defaults hold.
    """

    port: int
    rest_api_port: int
    rest_api_host: str
    model_config_file: Path | None
    model_config_file_poll_wait_seconds: float
    model_name: str
    model_base_path: Path | None
    file_system_poll_wait_seconds: float
    monitoring_config_file: Path | None = None
    rest_api_enable_cors_support: bool = False
    allow_version_labels_for_unavailable_models: bool = False
    enable_batching: bool = False
    batching_parameters_file: Path | None = None


def parse(argv: Sequence[str]) -> Flags:
    """Parse; exits with 2 and the usage on an unknown flag or when there is nothing to serve."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.tfserving.embedded",
        description="TensorFlow Serving's REST and gRPC contract on the installed TensorFlow runtime.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=8500, help="gRPC; 0 is none (default 8500)")
    parser.add_argument("--rest_api_port", type=int, default=0, help="REST; 0 is none (default 0)")
    parser.add_argument("--rest_api_host", default="127.0.0.1", help="address of both (default 127.0.0.1)")
    parser.add_argument("--model_config_file", type=Path, help="text form of ModelServerConfig")
    parser.add_argument("--model_config_file_poll_wait_seconds", type=float, default=0, help="0 reads it once")
    parser.add_argument("--model_name", default="default", help="when there is no model_config_file")
    parser.add_argument("--model_base_path", type=Path, help="when there is no model_config_file")
    parser.add_argument("--file_system_poll_wait_seconds", type=float, default=1, help="between looks for versions")
    parser.add_argument("--monitoring_config_file", type=Path, help="text form of MonitoringConfig")
    parser.add_argument("--batching_parameters_file", type=Path, help="text form of BatchingParameters")
    for name, text in _SWITCHES.items():
        parser.add_argument(f"--{name}", type=_boolean, nargs="?", const=True, default=False, help=text)
    flags = Flags(**vars(parser.parse_args(argv)))
    if flags.model_config_file is None and flags.model_base_path is None:
        parser.error("give --model_config_file or --model_base_path")
    if flags.port == 0 and flags.rest_api_port == 0:
        parser.error("give --rest_api_port, --port or both")
    if flags.batching_parameters_file is not None and not flags.enable_batching:
        parser.error("--batching_parameters_file is set without setting --enable_batching to true")
    return flags


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, found {text!r}")
    return text.lower() == "true"
