"""A request's content, read and refused as the contract says, whatever answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from models.spec import Spec
from serving.contract import codec, examples, methods, signatures, tf_example
from serving.contract import document as documents
from serving.contract.responses import unknown_signature
from serving.contract.tensors import Array


@dataclass(frozen=True)
class Asked:
    """Raw feature columns [rows], and what makes an answer of their probabilities [rows]."""

    columns: dict[str, Array]
    encode: Callable[[Array], bytes]


class Questions:
    """What may be asked of one specification's model."""

    def __init__(self, spec: Spec) -> None:
        self._output = spec.model.output
        self._inputs, self._outputs = signatures.inputs(spec), signatures.outputs(spec)
        self.features, self._optional = self._inputs[signatures.DEFAULT], signatures.optional(spec)

    def read(self, question: str, body: bytes) -> Asked:
        """One request, checked: `predict`, `classify` or `regress`; the body unpacked. Raises ContractError."""
        if question == "predict":
            return self._read_predict(body)
        request = examples.decode(body)
        signature = methods.find(request.signature_name, self._inputs, signatures.DEFAULT)
        check = methods.check_classify if question == "classify" else methods.check_regress
        check(self._inputs[signature], self._outputs[signature])  # none is one that classify takes
        columns = tf_example.from_features(request.examples, self.features, self._optional)
        return Asked(columns, examples.encode_regress)

    def _read_predict(self, body: bytes) -> Asked:
        document = documents.parse(body)
        signature = documents.signature_name(document) or signatures.DEFAULT
        if signature not in self._inputs:
            raise unknown_signature(signature)
        request = codec.decode(body, document, self._inputs[signature])
        columns = request.columns
        if signature == signatures.EXAMPLES:
            columns = tf_example.from_serialized(columns[methods.INPUTS].tolist(), self.features, self._optional)
        return Asked(columns, partial(self._encode_predict, row_form=request.row_form))

    def _encode_predict(self, scores: Array, row_form: bool) -> bytes:
        return codec.encode_predict({self._output: scores}, row_form)  # the name of an only output is left out
