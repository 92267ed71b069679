"""The contract in a model file: read exactly, refused in one line if it is invalid."""

import pytest

from stegcli.errors import ModelError
from stegcli.models.contract import Contract, parse_contract


def test_every_value_is_read(good_metadata):
    contract = parse_contract(good_metadata, "x.onnx")
    assert contract == Contract("phase", "encoder", "phase-tiny", 4, 12, 64, 0.01, 0.2)


def test_isgan_needs_no_channel_values(good_metadata):
    keep = {
        k: v for k, v in good_metadata.items() if k.split(".")[1] not in ("planes", "sigma_min", "sigma_max")
    }
    contract = parse_contract(keep | {"stegcli.family": "isgan"}, "x.onnx")
    assert contract.family == "isgan"
    assert contract.planes == 0


def test_a_cost_network_knows_no_phases(good_metadata):
    keep = {k: v for k, v in good_metadata.items() if k.split(".")[1] not in ("planes", "sigma_min")}
    contract = parse_contract(keep | {"stegcli.role": "cost"}, "x.onnx")
    assert (contract.role, contract.planes, contract.conditions) == ("cost", 0, frozenset())


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("contract", None, "no contract"),
        ("contract", "2", "contract '2'"),
        ("family", "lsb", "family"),
        ("role", "critic", "role"),
        ("multiple", "0", "multiple"),
        ("multiple", "eight", "eight"),
        ("halo", "-1", "halo"),
        ("halo", None, "halo is missing"),
        ("planes", "65", "planes"),
        ("sigma_min", "0.5", "sigma"),
        ("sigma_max", "nan", "sigma"),
    ],
)
def test_a_broken_promise_is_a_model_error_that_names_it(good_metadata, key, value, said):
    metadata = {k: v for k, v in good_metadata.items() if k != f"stegcli.{key}"}
    if value is not None:
        metadata[f"stegcli.{key}"] = value
    with pytest.raises(ModelError, match=r"x\.onnx") as caught:
        parse_contract(metadata, "x.onnx")
    assert said in caught.value.message
    assert caught.value.hint


def test_a_foreign_file_carries_no_contract():
    with pytest.raises(ModelError, match="not a stegcli model"):
        parse_contract({"author": "someone"}, "resnet.onnx")


def test_sizes_and_sigma_are_brought_into_range(good_metadata):
    contract = parse_contract(good_metadata, "x.onnx")
    assert [contract.padded(size) for size in (1, 4, 5)] == [4, 4, 8]
    assert [contract.clamp_sigma(sigma) for sigma in (0.001, 0.03, 0.5)] == [0.01, 0.03, 0.2]
