"""Graphs and weights that try to do more than compute a picture: refused in one line, and at once."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from desk import Desk
from onnx import TensorProto, helper, numpy_helper

import stegcli.weights
from stegcli.errors import ModelError
from stegcli.models import graphs, runtime, session
from stegcli.models.files import read_regular

BUNDLED = sorted(Path(stegcli.weights.__file__).parent.glob("*/*.onnx"))
HIDE = ("hide", "cover.png", "secret.png", "-o", "out.png", "--weights", "weights")
PICTURE = ["N", "C", "H", "W"]
CONTRACT = {
    "contract": "1", "family": "phase", "role": "encoder", "model": "phase-tiny",
    "multiple": "1", "halo": "0", "planes": "64", "sigma_min": "0.01", "sigma_max": "0.2",
}  # fmt: skip


def _model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray] | None = None,
    output: onnx.ValueInfoProto | None = None,
) -> onnx.ModelProto:
    """An encoder with the right contract; the last node computes its output."""
    value = helper.make_tensor_value_info
    inputs = [value("secret", TensorProto.FLOAT, [1, 1, "H", "W"]), value("sigma", TensorProto.FLOAT, [1])]
    outputs = [output or value(nodes[-1].output[0], TensorProto.FLOAT, PICTURE)]
    constants = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "hostile", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {f"stegcli.{key}": text for key, text in CONTRACT.items()})
    return model


def _plain(name: str = "out") -> onnx.ModelProto:
    return _model([helper.make_node("Mul", ["secret", "gain"], [name])], {"gain": np.float32([0.5])})


def _outside(tensor: onnx.TensorProto) -> None:
    """Move a tensor's data into a file of the system."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _outside_initializer(model: onnx.ModelProto) -> None:
    _outside(model.graph.initializer[0])


def _outside_by_a_word(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="../secret")


def _outside_by_a_number(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


def _outside_constant(model: onnx.ModelProto) -> None:
    tensor = numpy_helper.from_array(np.float32([1]), "t")
    _outside(tensor)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], value=tensor))


def _sparse_initializer(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.append(_sparse())


def _sparse_constant(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Constant", [], ["c"], sparse_value=_sparse()))


def _sparse() -> onnx.SparseTensorProto:
    values = numpy_helper.from_array(np.float32([1]), "v")
    _outside(values)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.int64([0]), "i"), [4])


def _branch(model: onnx.ModelProto) -> None:
    inner = _plain().graph
    _outside(inner.initializer[0])
    body = helper.make_graph(list(inner.node), "branch", [], list(inner.output), list(inner.initializer))
    model.graph.node.insert(0, helper.make_node("If", ["flag"], ["x"], then_branch=body, else_branch=body))


def _branch_of_a_known_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("body", _plain().graph))


def _endless_loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.insert(0, helper.make_node("Loop", ["", "yes"], [], body=body))


def _function(model: onnx.ModelProto) -> None:
    nodes = [helper.make_node("Identity", ["a"], ["b"])]
    opset = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "Mul", ["a"], ["b"], nodes, opset))


def _training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.CopyFrom(_plain().graph)


def _foreign_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.microsoft"


def _scan(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Scan"


def _random(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "RandomNormalLike"


def _sequence_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("out", TensorProto.FLOAT, None))


REFUSED: list[tuple[Callable[[onnx.ModelProto], None], str]] = [
    (_outside_initializer, "data in another file"),
    (_outside_by_a_word, "data in another file"),
    (_outside_by_a_number, "data in another file"),
    (_outside_constant, "data in another file"),
    (_sparse_initializer, "sparse data"),
    (_sparse_constant, "sparse data"),
    (_branch, "operator 'If'"),
    (_branch_of_a_known_operator, "a graph within the graph"),
    (_endless_loop, "operator 'Loop'"),
    (_function, "functions of its own"),
    (_training, "training"),
    (_foreign_operator, r"operators of 'com\.microsoft'"),
    (_scan, "operator 'Scan'"),
    (_random, "operator 'RandomNormalLike'"),
    (_sequence_output, "a value that is no tensor"),
]


def test_the_graph_that_the_others_are_made_of_is_good() -> None:
    content = _plain().SerializeToString()
    answer = session.open_network(content, "x.onnx", "cpu").run(
        np.ones((1, 1, 4, 5), np.float32), {"sigma": 0.1}
    )
    assert np.array_equal(answer, np.full((1, 4, 5), 0.5, np.float32))


@pytest.mark.parametrize(("spoil", "said"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_no_model_needs_is_refused_before_the_runtime_sees_it(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[onnx.ModelProto], None], said: str
) -> None:
    monkeypatch.setattr(session, "load_runtime", None)
    model = _plain()
    spoil(model)
    with pytest.raises(ModelError, match=said):
        session.open_network(model.SerializeToString(), "x.onnx", "cpu")


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_programs_own_graphs_are_allowed_and_damaged_ones_are_no_surprise(path: Path) -> None:
    content = path.read_bytes()
    graphs.check_graph(content, path.name)
    rng = np.random.default_rng(5)
    for _ in range(200):
        damaged = bytearray(content[: int(rng.integers(1, 20_000))] + content[-5000:])
        damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        try:
            graphs.check_graph(bytes(damaged), path.name)
        except ModelError as error:
            assert path.name in error.message  # noqa: PT017 - it need not raise


def test_field_numbers_are_those_of_onnx() -> None:
    pairs = [
        (graphs._MODEL, onnx.ModelProto), (graphs._GRAPH, onnx.GraphProto), (graphs._NODE, onnx.NodeProto),
        (graphs._ATTRIBUTE, onnx.AttributeProto), (graphs._TENSOR, onnx.TensorProto),
        (graphs._TYPE, onnx.TypeProto), (graphs._VALUE, onnx.ValueInfoProto),
        (graphs._PAIR, onnx.StringStringEntryProto),
    ]  # fmt: skip
    for kind, proto in pairs:
        fields = {each.number: each for each in proto.DESCRIPTOR.fields}
        assert set(kind.plain) | set(kind.nested) <= set(fields)
        nested = {number for number, each in fields.items() if each.message_type is not None}
        assert not nested & set(kind.plain), "a message that nobody looks into"
        assert set(kind.nested) <= nested
    names = {each.name: each.number for each in onnx.TensorProto.DESCRIPTOR.fields}
    assert (names["data_location"], names["external_data"]) == (graphs._DATA_LOCATION, 13)
    names = {each.name: each.number for each in onnx.NodeProto.DESCRIPTOR.fields}
    assert (names["op_type"], names["domain"]) == (graphs._OPERATOR, graphs._DOMAIN)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x98\x06\x01",
        b"\x0b\x0c",
        b"\x00\x01",
        b"\x3a\xff\xff\xff\xff\x0f",
        b"\xff" * 12,
        b"\x38\x01",
        b"\x3a\x00",
    ],
    ids=[
        "unknown field",
        "group",
        "field 0",
        "past the end",
        "endless number",
        "graph as number",
        "second graph",
    ],
)
def test_bytes_that_a_parser_might_skip_are_refused(junk: bytes) -> None:
    with pytest.raises(ModelError):
        graphs.check_graph(_plain().SerializeToString() + junk, "x.onnx")


def test_sizes_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _plain().SerializeToString()
    monkeypatch.setattr(graphs, "_MAX_FIELDS", 10)
    with pytest.raises(ModelError, match="more than 10 fields"):
        graphs.check_graph(content, "x.onnx")
    monkeypatch.setattr(graphs, "MAX_BYTES", 1 << 20)
    with pytest.raises(ModelError, match="more than 1 MiB"):
        graphs.check_graph(bytes((1 << 20) + 1), "x.onnx")


def _tensor(kind: int, shape: list[object]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("out", kind, shape)


def _cast(kind: int) -> list[onnx.NodeProto]:
    return [helper.make_node("Cast", ["secret"], ["out"], to=kind)]


def _then(first: str, second: str, **options: int) -> list[onnx.NodeProto]:
    return [helper.make_node(first, ["secret"], ["x"]), helper.make_node(second, ["x"], ["out"], **options)]


def _sliced(axis: int, stop: int) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    weights = {"from": np.int64([0]), "to": np.int64([stop]), "axis": np.int64([axis])}
    return [helper.make_node("Slice", ["secret", "from", "to", "axis"], ["out"])], weights


WRONG_ANSWERS = {
    "text": _model(_cast(TensorProto.STRING), output=_tensor(TensorProto.STRING, PICTURE)),
    "integers": _model(_cast(TensorProto.INT32), output=_tensor(TensorProto.INT32, PICTURE)),
    "doubles": _model(_cast(TensorProto.DOUBLE), output=_tensor(TensorProto.DOUBLE, PICTURE)),
    "a shape": _model(_then("Shape", "Cast", to=TensorProto.FLOAT), output=_tensor(TensorProto.FLOAT, ["n"])),
    "no picture": _model(*_sliced(0, 0)),
    "no plane": _model(*_sliced(1, 0)),
    "less rows": _model(*_sliced(2, 3)),
    "more planes": _model([helper.make_node("Concat", ["secret", "secret"], ["out"], axis=1)]),
    "no numbers": _model(_then("Log", "Sqrt")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_answers_of_another_kind_are_model_errors(name: str) -> None:
    content = WRONG_ANSWERS[name].SerializeToString()
    with pytest.raises(ModelError):
        session.open_network(content, "x.onnx", "cpu").run(
            np.full((1, 1, 8, 8), 0.5, np.float32), {"sigma": 0.1}
        )


def test_a_graph_without_outputs_is_a_model_error() -> None:
    model = _plain()
    del model.graph.output[:]
    with pytest.raises(ModelError):
        session.open_network(model.SerializeToString(), "x.onnx", "cpu")


def test_names_and_metadata_that_are_no_text_are_model_errors() -> None:
    named = (
        _plain("out-name-is-this")
        .SerializeToString()
        .replace(b"out-name-is-this", b"out-name\xff\xfeis-this")
    )
    promised = _plain().SerializeToString().replace(b"phase-tiny", b"phase-\xff\xfe\xfd\xfc")
    for content in (named, promised):
        with pytest.raises(ModelError):
            session.open_network(content, "x.onnx", "cpu")


def _doubling(start: str, times: int) -> onnx.ModelProto:
    """A graph whose tensors double until no machine can hold them, and which then drops all but one plane."""
    names = [start, *(f"x{i}" for i in range(times))]
    nodes = [
        helper.make_node("Concat", [before, before], [after], axis=1) for before, after in pairwise(names)
    ]
    nodes.append(helper.make_node("ReduceMean", [names[-1]], ["mean"], axes=[1]))
    nodes.append(helper.make_node("Add", ["secret", "mean"], ["out"]))
    return _model(nodes, {"constant": np.zeros((1, 1, 64, 64), np.float32)})


def _opened_and_run(content: bytes) -> None:
    network = session.open_network(content, "x.onnx", "cpu")
    network.run(np.zeros((1, 1, 64, 64), np.float32), {"sigma": 0.1})


@pytest.mark.parametrize("start", ["secret", "constant"])
def test_a_graph_that_grows_meets_its_limit(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    monkeypatch.setattr(runtime, "MEMORY_BYTES", 64 << 20)
    monkeypatch.setattr(runtime, "_FOLDED_BYTES", 1 << 20)
    with pytest.raises(ModelError, match="more memory"):
        _opened_and_run(_doubling(start, 24).SerializeToString())


def test_a_runtime_without_a_limit_for_constants_meets_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MEMORY_BYTES", 64 << 20)
    monkeypatch.setattr(session, "limits_constants", lambda: False)
    with pytest.raises(ModelError, match="more memory"):
        session.open_network(_doubling("constant", 24).SerializeToString(), "x.onnx", "cpu")
    for path in BUNDLED:
        assert session.open_network(path.read_bytes(), path.name, "cpu").contract


def test_a_limit_belongs_to_its_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        session, "limits_constants", lambda: True
    )  # no trial, which meets the limit on its own
    content = _doubling("secret", 10).SerializeToString()
    planes = np.zeros((1, 1, 64, 64), np.float32)
    roomy = session.open_network(content, "x.onnx", "cpu")
    monkeypatch.setattr(runtime, "MEMORY_BYTES", 8 << 20)
    narrow = session.open_network(content, "x.onnx", "cpu")
    for _ in range(2):
        assert roomy.run(planes, {"sigma": 0.1}).shape == (1, 64, 64)
        with pytest.raises(ModelError, match="more memory"):
            narrow.run(planes, {"sigma": 0.1})


LONG_RUN = """
import signal, sys
from pathlib import Path
import numpy as np
from stegcli.models import session
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the parent ignores it
network = session.open_network(Path(sys.argv[1]).read_bytes(), "x.onnx", "cpu")
print("running", flush=True)
network.run(np.zeros((1, 1, 512, 512), np.float32), {"sigma": 0.1})
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_a_long_run_hears_ctrl_c(tmp_path: Path) -> None:
    kernel = {"w": np.full((1, 1, 31, 31), 1 / 961, np.float32)}
    names = ["secret", *(f"x{i}" for i in range(3000))]  # minutes of it
    nodes = [
        helper.make_node("Conv", [before, "w"], [after], pads=[15] * 4) for before, after in pairwise(names)
    ]
    (tmp_path / "x.onnx").write_bytes(_model(nodes, kernel).SerializeToString())
    with subprocess.Popen(
        [sys.executable, "-c", LONG_RUN, tmp_path / "x.onnx"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGINT)
        try:
            _, told = process.communicate(timeout=30)  # without an ear it takes longer
        finally:
            process.kill()
    assert b"KeyboardInterrupt" in told


def _weights(desk: Desk) -> Path:
    """A manifest whose files are `e.onnx`, which is yet to be made."""
    digest = hashlib.sha256(b"").hexdigest()
    (desk.folder / "weights").mkdir()
    roles = "".join(f'{role} = "e.onnx"\n{role}_sha256 = "{digest}"\n' for role in ("encoder", "decoder"))
    (desk.folder / "weights/manifest.toml").write_text(f'schema = 1\n[models.x]\nfamily = "phase"\n{roles}')
    return desk.folder / "weights/e.onnx"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("name", ["e.onnx", "manifest.toml"])
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/zero")], ids=["pipe", "zero"]
)
def test_only_regular_files_are_read(desk: Desk, name: str, make: Callable[[Path], None]) -> None:
    path = _weights(desk).with_name(name)
    path.unlink(missing_ok=True)
    make(path)
    desk.refuses(5, *HIDE, words="not a regular file")


def test_files_have_a_largest_size(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than 1,000 bytes"):
        read_regular(tmp_path / "sparse", 1000)
    (tmp_path / "fits").write_bytes(bytes(1000))
    assert read_regular(tmp_path / "fits", 1000) == bytes(1000)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc")
def test_a_file_that_says_it_is_empty_has_a_largest_size_too() -> None:
    with pytest.raises(OSError, match="larger than 100 bytes"):
        read_regular(Path("/proc/self/maps"), 100)
