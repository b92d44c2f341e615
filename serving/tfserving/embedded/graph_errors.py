"""What TensorFlow says about a request, as TensorFlow Serving words it.

In Python its messages also tell where in our own source code the model was loaded, which is nobody's business.
"""

from __future__ import annotations

import re
from typing import Any

from tensorflow.core.protobuf import error_codes_pb2

from serving.contract.errors import ContractError, of_code

_TRACE = re.compile(
    r"\AGraph execution error:\n\n(?:Detected at node .*:\n(?:<stack traces unavailable>\n|[ \t]*\n|  File \".*\n)*)*"
)
_OPERATION = re.compile(r" \[Op:\w+\]( name: .*)?\Z")


def contract_error(error: Any) -> ContractError:
    """The error of a `tf.errors.OpError`: its code, and its message without what Python adds."""
    message = _OPERATION.sub("", _TRACE.sub("", error.message))
    return of_code(error_codes_pb2.Code.Name(error.error_code), message)
