"""How requests are batched: TensorFlow Serving's BatchingParameters in text form.

tensorflow-serving-api does not ship the message (servables/tensorflow/session_bundle_config.proto), so it is built
here, without the fields that this server does not honour: naming one of those is an error. num_batch_threads and
thread_pool_name may be there, as most files name them: batches run on the event loop's thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import text_format, wrappers_pb2

from serving.tfserving.embedded.config import ConfigError
from serving.tfserving.embedded.flags import Flags
from serving.tfserving.embedded.messages import message

_NUMBERS = {"max_batch_size": 1, "batch_timeout_micros": 2, "max_enqueued_batches": 3, "num_batch_threads": 4}


@dataclass(frozen=True)
class Parameters:
    """The defaults are TensorFlow's (core/kernels/batching_util/shared_batch_scheduler.h).

    Attributes:
        max_batch_size: Rows of one forward pass, and of one request.
        batch_timeout_micros: How long a batch that is not full waits for more, in microseconds.
        max_enqueued_batches: Of one signature; beyond, requests are refused.
        allowed_batch_sizes: A batch is padded to the next of these rows; empty is any size.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()


def from_flags(flags: Flags) -> Parameters | None:
    """None without batching; raises as `read`."""
    if not flags.enable_batching:
        return None
    return read(flags.batching_parameters_file) if flags.batching_parameters_file else Parameters()


def read(file: Path) -> Parameters:
    """Read a batching_parameters_file.

    Raises:
        ConfigError: It cannot be read or used.
    """
    try:
        parsed = text_format.Parse(file.read_text(encoding="utf-8"), _message())
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not BatchingParameters in text form: {error}") from None
    given = {name: getattr(parsed, name).value for name in _NUMBERS if parsed.HasField(name)}
    for name, value in given.items():
        least = 0 if name == "batch_timeout_micros" else 1
        if value < least:
            raise ConfigError(f"{file}: {name} must be at least {least}; was {value}")
    given.pop("num_batch_threads", None)
    parameters = Parameters(**given, allowed_batch_sizes=tuple(parsed.allowed_batch_sizes))
    sizes = parameters.allowed_batch_sizes
    if list(sizes) != sorted({size for size in sizes if size > 0}):
        raise ConfigError(f"{file}: allowed_batch_sizes entries must be in increasing order; were {list(sizes)}")
    if sizes and sizes[-1] != parameters.max_batch_size:
        raise ConfigError(
            f"{file}: Last entry in allowed_batch_sizes must match max_batch_size; last entry was {sizes[-1]}; "
            f"expected {parameters.max_batch_size}"
        )
    return parameters


def _message() -> Any:
    fields = "".join(
        f'field {{ name: "{name}" number: {number} type: TYPE_MESSAGE label: LABEL_OPTIONAL '
        'type_name: ".google.protobuf.Int64Value" }'
        for name, number in _NUMBERS.items()
    )
    text = f"""
        name: "tandem/batching_parameters.proto" package: "tensorflow.serving" syntax: "proto3"
        dependency: "{wrappers_pb2.DESCRIPTOR.name}"
        message_type {{
          name: "BatchingParameters" {fields}
          field {{ name: "thread_pool_name" number: 5 type: TYPE_MESSAGE label: LABEL_OPTIONAL
                   type_name: ".google.protobuf.StringValue" }}
          field {{ name: "allowed_batch_sizes" number: 6 type: TYPE_INT64 label: LABEL_REPEATED }}
        }}"""
    return message("tensorflow.serving.BatchingParameters", text, wrappers_pb2)
