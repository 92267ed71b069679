"""Check what a graph file holds before the runtime reads it, since it may come from anybody.

    bytes ─ protobuf wire format ─> fields of ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto

Weights come from strangers, and the runtime does whatever a graph says: initialisers may name any file to be
read, a Loop need not end, and a function can hide both. Computing a picture from a picture needs none of
that, so that this module lists what is allowed. Everything else is refused, including fields that ONNX does
not define yet: what this reader skipped, the runtime might not.

Numbers of fields: onnx/onnx.proto of ONNX 1.23; the encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from stegcli.errors import ModelError

__all__ = ["MAX_BYTES", "OPERATORS", "check_graph"]

MAX_BYTES: Final = 256 << 20
"""Largest graph file: a hundred times the largest one of the program."""

_MAX_FIELDS: Final = 1_000_000
"""Largest number of fields in all messages of a file; the program's own files have five thousand."""

_BY_ELEMENT: Final = """
    Abs Add And Atan Cast Ceil Clip Constant Cos Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual
    HardSigmoid HardSwish Identity LeakyRelu Less LessOrEqual Log Max Min Mish Mod Mul Neg Not Or PRelu
    Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu
    Where Xor
"""
_BY_NEIGHBOURHOOD: Final = """
    ArgMax ArgMin AveragePool BatchNormalization Conv ConvTranspose CumSum Gemm GlobalAveragePool
    GlobalMaxPool GroupNormalization InstanceNormalization LayerNormalization LogSoftmax MatMul MaxPool
    ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Softmax
"""
_OF_SHAPE: Final = """
    Concat ConstantOfShape DepthToSpace Expand Flatten Gather GatherElements GatherND Pad Reshape Resize
    Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze
"""

OPERATORS: Final = frozenset(f"{_BY_ELEMENT} {_BY_NEIGHBOURHOOD} {_OF_SHAPE}".split())
"""Operators of ONNX's own domain that compute a picture from a picture: no control flow, no sequences, no
text, no random numbers."""

_OWN_DOMAINS: Final = frozenset({b"", b"ai.onnx"})
_HINT: Final = "Use weights that `stegcli export` wrote; run no others of unknown origin."

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NUMBER: Final = frozenset({_VARINT})
_NUMBERS: Final = frozenset({_VARINT, _BYTES})
_FLOAT: Final = frozenset({_FIXED32})
_FLOATS: Final = frozenset({_FIXED32, _BYTES})
_BLOB: Final = frozenset({_BYTES})


@dataclass(frozen=True)
class _Message:
    """What a kind of message may hold.

    Attributes:
        name: name in messages to the user.
        plain: field number -> wire types that it may have, for values that need no check.
        nested: field number -> the message in it.
        once: fields that may not be repeated.
        refused: field number -> what it is, where the error message should name it.
    """

    name: str
    plain: dict[int, frozenset[int]]
    nested: dict[int, _Message] = field(default_factory=dict)
    once: frozenset[int] = frozenset()
    refused: dict[int, str] = field(default_factory=dict)


_PAIR = _Message("metadata", {1: _BLOB, 2: _BLOB})
_OPSET = _Message("operator set", {1: _BLOB, 2: _NUMBER})
_TENSOR = _Message(
    "tensor",
    {
        **{1: _NUMBERS, 2: _NUMBER, 4: _BLOB, 5: _BLOB, 7: _BLOB, 8: _BLOB, 9: _BLOB, 10: _BLOB},
        **{11: _BLOB, 12: _BLOB, 14: _NUMBER},
    },
    nested={16: _PAIR},
    refused={3: "a segment", 6: "text", 13: "data in another file"},
)
_DIMENSION = _Message("dimension", {1: _NUMBER, 2: _BLOB, 3: _BLOB})
_SHAPE = _Message("shape", {}, nested={1: _DIMENSION})
_TENSOR_TYPE = _Message("tensor type", {1: _NUMBER}, nested={2: _SHAPE})
_NO_TENSOR = "a value that is no tensor"
_TYPE = _Message(
    "type", {6: _BLOB}, nested={1: _TENSOR_TYPE}, refused=dict.fromkeys((4, 5, 7, 8, 9), _NO_TENSOR)
)
_VALUE = _Message("value", {1: _BLOB, 3: _BLOB}, nested={2: _TYPE, 4: _PAIR})
_SPARSE = "sparse data"
_ATTRIBUTE = _Message(
    "attribute",
    {1: _BLOB, 2: _FLOAT, 3: _NUMBER, 4: _BLOB, 7: _FLOATS, 8: _NUMBERS, 9: _BLOB, 13: _BLOB, 20: _NUMBER},
    nested={5: _TENSOR, 10: _TENSOR},
    refused={
        6: "a graph within the graph",
        11: "graphs within the graph",
        21: "a function",
        22: _SPARSE,
        23: _SPARSE,
    },
)
_NODE = _Message(
    "node",
    {1: _BLOB, 2: _BLOB, 3: _BLOB, 4: _BLOB, 6: _BLOB, 7: _BLOB},
    nested={5: _ATTRIBUTE, 9: _PAIR},
    once=frozenset({4, 7}),
)
_GRAPH = _Message(
    "graph",
    {2: _BLOB, 10: _BLOB},
    nested={1: _NODE, 5: _TENSOR, 11: _VALUE, 12: _VALUE, 13: _VALUE, 16: _PAIR},
    refused={14: "quantised data", 15: _SPARSE},
)
_MODEL = _Message(
    "model",
    {1: _NUMBER, 2: _BLOB, 3: _BLOB, 4: _BLOB, 5: _NUMBER, 6: _BLOB},
    nested={7: _GRAPH, 8: _OPSET, 14: _PAIR},
    once=frozenset({7}),
    refused={20: "training", 25: "functions of its own", 26: "several devices"},
)

_OPERATOR, _DOMAIN = 4, 7
_DATA_LOCATION = 14


class _Refused(Exception):  # noqa: N818 - it never leaves this file
    """Why a graph is refused."""


def check_graph(content: bytes, source: str) -> None:
    """Refuse a graph file that could do more than compute a picture from a picture.

    Args:
        content: the content of an ONNX file.
        source: its name, for messages.

    Raises:
        ModelError: it is not an ONNX file, too large, names other files, holds control flow, functions or
            graphs within the graph, or an operator that is not one of `OPERATORS`.
    """
    if len(content) > MAX_BYTES:
        raise ModelError(f"{source} has more than {MAX_BYTES >> 20} MiB", _HINT)
    try:
        found = _Walk(memoryview(content)).message(_MODEL, 0, len(content))
        if _MODEL_GRAPH not in found:
            raise _Refused("it is empty, or not an ONNX file")
    except _Refused as reason:
        raise ModelError(f"{source} cannot be used: {reason}", _HINT) from None


_MODEL_GRAPH: Final = 7


class _Walk:
    """One pass over the fields of a file."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._fields_left = _MAX_FIELDS

    def message(self, kind: _Message, start: int, end: int) -> set[int]:
        """Check a message and all messages in it; return the numbers of its fields."""
        seen: set[int] = set()
        for number, wire, first, last in self._fields(start, end):
            self._check_field(kind, number, wire, seen)
            seen.add(number)
            if number in kind.nested:
                self.message(kind.nested[number], first, last)
            elif kind is _TENSOR and number == _DATA_LOCATION and self._varint(first, last)[0] != 0:
                raise _Refused("it holds data in another file")
            elif kind is _NODE and number in (_OPERATOR, _DOMAIN):
                _check_operator(number, bytes(self._content[first:last]))
        if kind is _NODE and _OPERATOR not in seen:
            raise _Refused("a node has no operator")
        return seen

    def _check_field(self, kind: _Message, number: int, wire: int, seen: set[int]) -> None:
        if number in kind.refused:
            raise _Refused(f"it holds {kind.refused[number]}")
        allowed = _BLOB if number in kind.nested else kind.plain.get(number, frozenset())
        if wire not in allowed:
            raise _Refused(f"a {kind.name} has a field {number} that stegcli does not know, or no ONNX file")
        if number in kind.once and number in seen:
            raise _Refused(f"a {kind.name} has its field {number} twice")
        self._fields_left -= 1
        if self._fields_left < 0:
            raise _Refused(f"it has more than {_MAX_FIELDS:,} fields")

    def _fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (number, wire type, start, end of the value) of every field between two positions."""
        at = start
        while at < end:
            tag, at = self._varint(at, end)
            number, wire = tag >> 3, tag & 7
            if not 0 < number < 1 << 29:
                raise _Refused("it is damaged, or no ONNX file")
            first = at
            if wire == _VARINT:
                at = self._varint(at, end)[1]
            elif wire == _BYTES:
                length, first = self._varint(at, end)
                at = first + length
            elif wire in _SIZES:
                at += _SIZES[wire]
            else:
                raise _Refused("it is damaged, or no ONNX file")
            if at > end:
                raise _Refused("it is cut short, or no ONNX file")
            yield number, wire, first, at

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        """Return the value of a number of up to ten bytes, and where it ends."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                raise _Refused("it is cut short, or no ONNX file")
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
        raise _Refused("it is damaged, or no ONNX file")


_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}


def _check_operator(number: int, value: bytes) -> None:
    name = value.decode("utf-8", "backslashreplace")
    if number == _OPERATOR and name not in OPERATORS:
        raise _Refused(f"no stegcli model has an operator {name!r}")
    if number == _DOMAIN and value not in _OWN_DOMAINS:
        raise _Refused(f"no stegcli model has operators of {name!r}")
