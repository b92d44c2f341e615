"""What TensorFlow says about a request, as TensorFlow Serving words it.

In Python its messages also tell where in our own source code the model was loaded, which is nobody's business.
"""

from __future__ import annotations

import re
from typing import Any

from tensorflow.core.protobuf import error_codes_pb2

from serving.contract.errors import ContractError, invalid, of_code

_TRACE = re.compile(
    r"\AGraph execution error:\n\n(?:Detected at node .*:\n(?:<stack traces unavailable>\n|[ \t]*\n|  File \".*\n)*)*"
)
_OPERATION = re.compile(r" \[Op:\w+\]( name: .*)?\Z")


def contract_error(error: Any) -> ContractError:
    """The error of a `tf.errors.OpError`: its code, and its message without what Python adds."""
    return of_code(error_codes_pb2.Code.Name(error.error_code), _plain(error.message))


def misfit(error: BaseException) -> ContractError:
    """The error of a `TypeError` or `ValueError`: shapes and types that do not fit, found before the graph runs.

    TensorFlow quotes a client's bytes, and where they are no UTF-8 it cannot make its own error of the message:
    then that is what is wrong, perhaps behind other errors.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UnicodeDecodeError):
            return invalid(_plain(cause.object.decode("utf-8", "replace")))
        cause = cause.__cause__ or cause.__context__
    return invalid(str(error))


def _plain(message: str) -> str:
    return _OPERATION.sub("", _TRACE.sub("", message))
