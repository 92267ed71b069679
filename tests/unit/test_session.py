"""Networks: tiling changes nothing, the device is the requested one, and foreign errors become ours."""

import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from stegcli.errors import DeviceError, ModelError, UsageError
from stegcli.models import session, tiling
from stegcli.models.contract import Contract
from stegcli.models.loading import Models

SIGMA = {"sigma": 0.03}


@pytest.fixture(autouse=True)
def each_network_once():
    """Every network is loaded here."""


_OTHERS = (
    *("SessionOptions", "RunOptions", "OrtMemoryInfo", "OrtAllocatorType", "OrtMemType", "OrtArenaCfg"),
    "create_and_register_allocator",
    "__version__",
    "GraphOptimizationLevel",
)


def contract(multiple=4, halo=12):
    return Contract("phase", "encoder", "phase-tiny", multiple, halo, 64, 0.01, 0.2)


def whole(network, picture, budget):
    """(h, w) float32 -> the network's output, tile by tile."""

    def load(tile):
        inside = picture[tile.rows, tile.cols]
        missing = [(0, seen - there) for seen, there in zip(tile.shape, inside.shape, strict=True)]
        return np.pad(inside, missing, mode="edge")[None, None]

    answer = np.full(picture.shape, np.nan, dtype=np.float32)
    for rows, cols, part in session.run_tiled(network, load, picture.shape, SIGMA, budget=budget):
        assert np.isnan(answer[rows, cols]).all()
        answer[rows, cols] = part[0]
    return answer


@pytest.mark.parametrize("shape", [(64, 64), (129, 203), (40, 300), (301, 33)])
def test_tiled_equals_untiled(network_bytes, shape):
    network = session.open_network(network_bytes, "random", "cpu")
    picture = np.random.default_rng(1).random(shape, dtype=np.float32)
    np.testing.assert_allclose(
        whole(network, picture, 56 * 56), whole(network, picture, 1 << 30), rtol=0, atol=1e-5
    )


def test_too_small_a_halo_would_show(network_bytes, monkeypatch):
    """The test above can fail: without overlap the seams are visible."""
    network = session.open_network(network_bytes, "random", "cpu")
    picture = np.random.default_rng(1).random((128, 128), dtype=np.float32)
    untiled = whole(network, picture, 1 << 30)
    monkeypatch.setattr(network, "contract", contract(halo=0))
    assert np.abs(whole(network, picture, 56 * 56) - untiled).max() > 1e-2


@pytest.mark.parametrize(
    ("height", "width"), [(3000, 4000), (64, 64), (16, 100_000), (10_008, 1_000), (2048, 2048)]
)
@pytest.mark.parametrize("rule", [contract(8, 100), contract(16, 17), contract(1, 0)])
def test_tiles_cover_once_in_one_shape_within_the_budget(height, width, rule):
    height, width = rule.padded(height), rule.padded(width)
    tiles = tiling.plan_tiles(height, width, rule)
    seen = np.zeros((height, width), dtype=np.uint8)
    for tile in tiles:
        seen[tile.kept_rows, tile.kept_cols] += 1
        assert 0 <= tile.rows.start <= tile.kept_rows.start < tile.kept_rows.stop <= tile.rows.stop <= height
        assert 0 <= tile.cols.start <= tile.kept_cols.start < tile.kept_cols.stop <= tile.cols.stop <= width
        assert tile.rows.start % rule.multiple == tile.cols.start % rule.multiple == 0
        assert tile.rows.start == 0 or tile.kept_rows.start - tile.rows.start >= rule.halo
        assert tile.rows.stop == height or tile.rows.stop - tile.kept_rows.stop >= rule.halo
    assert (seen == 1).all()
    (shape,) = {tile.shape for tile in tiles}
    assert shape[0] % rule.multiple == shape[1] % rule.multiple == 0
    assert shape[0] * shape[1] <= tiling.TILE_PIXELS


def test_progress_ends_at_one(network_bytes):
    network = session.open_network(network_bytes, "random", "cpu")
    shares = []
    load = lambda tile: np.zeros((1, 1, *tile.shape), dtype=np.float32)  # noqa: E731
    list(session.run_tiled(network, load, (100, 100), SIGMA, budget=56 * 56, progress=shares.append))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_model_is_loaded_once_by_its_owner(exact_weights):
    models = Models(exact_weights, "cpu")
    with ThreadPoolExecutor(8) as threads:
        networks = set(threads.map(lambda _: models.find()("encoder"), range(8)))
    assert len(networks) == 1
    assert Models(exact_weights, "cpu").find()("encoder") not in networks


def test_the_device_is_the_real_one(exact_weights):
    network = Models(exact_weights).find()("encoder")
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert network.device == ("cuda" if has_cuda else "cpu")


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="CUDA is here")
def test_cuda_asked_for_and_absent_is_a_device_error(network_bytes):
    with pytest.raises(DeviceError, match="CUDA") as caught:
        session.open_network(network_bytes, "random", "cuda")
    assert "stegcli[gpu]" in caught.value.hint


def fake_runtime(monkeypatch, got, fails=False):
    """onnxruntime that offers CUDA; a session that requests it gets the providers `got`, or fails."""
    asked = []
    real = onnxruntime.InferenceSession

    class FakeSession:
        def __init__(self, content, options, providers, **_):
            asked.append(providers)
            if fails and len(providers) > 1:
                raise RuntimeError("no CUDA-capable device is detected")
            self.providers = got if len(providers) > 1 else providers
            self.real = real(content, options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return self.providers

        def __getattr__(self, name):
            return getattr(self.real, name)

    fake = types.SimpleNamespace(
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
        InferenceSession=FakeSession,
        **{name: getattr(onnxruntime, name) for name in _OTHERS},
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    return asked


def test_auto_takes_cuda_when_it_is_there(network_bytes, monkeypatch):
    monkeypatch.setattr(
        session, "limits_constants", lambda: True
    )  # older runtimes try the graph on a CPU first
    asked = fake_runtime(monkeypatch, ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert session.open_network(network_bytes, "random", "auto").device == "cuda"
    assert session.open_network(network_bytes, "random", "cuda").device == "cuda"
    assert asked[0][0][0] == "CUDAExecutionProvider"


@pytest.mark.parametrize("fails", [False, True])
def test_cuda_that_is_offered_but_does_not_work(network_bytes, monkeypatch, fails):
    fake_runtime(monkeypatch, ["CPUExecutionProvider"], fails)
    with pytest.raises(DeviceError):
        session.open_network(network_bytes, "random", "cuda")
    assert session.open_network(network_bytes, "random", "auto").device == "cpu"


def test_garbage_is_the_models_fault_on_cuda_too(monkeypatch):
    fake_runtime(monkeypatch, ["CPUExecutionProvider"], fails=True)
    with pytest.raises(ModelError):
        session.open_network(b"garbage", "random", "cuda")


def test_an_unknown_device_lists_the_choices(network_bytes):
    with pytest.raises(UsageError, match="tpu") as caught:
        session.open_network(network_bytes, "random", "tpu")
    assert "cuda" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(1000)])
def test_garbage_is_a_model_error(content):
    with pytest.raises(ModelError, match=r"x\.onnx"):
        session.open_network(content, "x.onnx", "cpu")


def test_a_graph_in_the_wrong_role_is_a_model_error(make_weights, exact_weights):
    folder = make_weights(encoder=(exact_weights / "phase-tiny" / "decoder.onnx").read_bytes())
    with pytest.raises(ModelError, match="phase decoder, not phase encoder"):
        Models(folder, "cpu").find()("encoder")


def test_one_file_in_both_roles_is_a_model_error_in_the_wrong_one(make_weights, exact_weights):
    folder = make_weights(decoder=(exact_weights / "phase-tiny" / "encoder.onnx").read_bytes())
    model = Models(folder, "cpu").find()
    assert model("encoder")
    with pytest.raises(ModelError, match="phase encoder, not phase decoder"):
        model("decoder")


def test_a_decoder_that_cannot_be_told_of_damage_is_a_model_error(encoder_bytes):
    with pytest.raises(ModelError, match="breaks its contract: it has no input damage"):
        session.open_network(encoder_bytes(role="decoder"), "x.onnx", "cpu")


def test_an_unknown_condition_is_a_model_error(network_bytes):
    network = session.open_network(network_bytes, "random", "cpu")
    with pytest.raises(ModelError, match="sigma"):
        network.run(np.zeros((1, 1, 8, 8), dtype=np.float32), {})


def test_answers_that_are_not_numbers_are_a_model_error(network_bytes):
    network = session.open_network(network_bytes, "random", "cpu")
    with pytest.raises(ModelError, match="does not return a picture"):
        network.run(np.full((1, 1, 8, 8), np.nan, dtype=np.float32), SIGMA)


def test_the_runtime_failing_is_a_model_error(network_bytes):
    network = session.open_network(network_bytes, "random", "cpu")
    with pytest.raises(ModelError, match="cannot be run"):
        network.run(np.zeros((1, 3, 8, 8), dtype=np.float32), SIGMA)
