"""The manifest: literal, checked, and helpful when a name is unknown."""

import pytest

from stegcli.errors import ModelError
from stegcli.models.manifest import parse_manifest

SHA = "ab" * 32
ENTRY = """
[models.{id}]
family = "{family}"
{more}
encoder = "{id}/encoder.onnx"
encoder_sha256 = "{sha}"
decoder = "{id}/decoder.onnx"
decoder_sha256 = "{sha}"
"""


def entry(id="phase-v1", family="phase", more="", sha=SHA):
    return ENTRY.format(id=id, family=family, more=more, sha=sha)


def manifest(*entries):
    return parse_manifest("schema = 1\n" + "".join(entries), "manifest.toml")


def test_an_entry_is_read():
    (model,) = manifest(entry(more='default = true\ndescription = "first"')).models
    assert (model.id, model.family, model.default, model.description) == ("phase-v1", "phase", True, "first")
    assert model.files["decoder"] == "phase-v1/decoder.onnx"
    assert model.fingerprint == bytes.fromhex("abababab")


def test_a_judge_has_one_graph():
    judge = f'[models.judge-v1]\nfamily = "judge"\njudge = "judge.onnx"\njudge_sha256 = "{SHA}"\n'
    assert manifest(judge).models[0].files == {"judge": "judge.onnx"}
    with pytest.raises(ModelError, match="unknown key decoder"):
        manifest(judge + 'decoder = "decoder.onnx"\n')


def test_a_model_of_phase_may_bring_costs():
    more = f'cost = "phase-v1/cost.onnx"\ncost_sha256 = "{SHA}"'
    (model,) = manifest(entry(more=more)).models
    assert list(model.files) == list(model.sha256) == ["encoder", "decoder", "cost"]


def test_an_empty_manifest_lists_nothing():
    assert manifest().models == ()


@pytest.mark.parametrize(
    ("name", "chosen"),
    [(None, "phase-v2"), ("phase", "phase-v2"), ("phase-v1", "phase-v1"), ("isgan", "isgan-lfw-v1")],
)
def test_choice_by_id_family_or_default(name, chosen):
    table = manifest(entry(), entry("phase-v2", more="default = true"), entry("isgan-lfw-v1", "isgan"))
    assert table.choose(name).id == chosen


def test_without_a_name_the_only_model_of_another_family_is_taken():
    assert manifest(entry("isgan-lfw-v1", "isgan")).choose(None).id == "isgan-lfw-v1"


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(ModelError, match="phase-v9") as caught:
        manifest(entry()).choose("phase-v9")
    assert "phase-v1" in caught.value.hint


def test_a_fingerprint_finds_its_model():
    table = manifest(entry())
    assert table.by_fingerprint(bytes.fromhex("abababab")).id == "phase-v1"
    assert table.by_fingerprint(bytes(4)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema = ", "manifest"),
        ("schema = 2", "schema"),
        ("schema = 1\nmodels = 3", "manifest"),
        ("schema = 1\n[models]\nphase = 3", "manifest"),
        ("schema = 1\n[models.phase-v1]\nfamily = 'phase'", "encoder"),
        ("schema = 1\n" + entry(family="lsb"), "family"),
        ("schema = 1\n" + entry(sha="abc"), "64 hexadecimal"),
        ("schema = 1\n" + entry(more="colour = 'red'"), "colour"),
        ("schema = 1\n" + entry(more="cost = 'cost.onnx'"), "cost_sha256"),
        ("schema = 1\n" + entry(more=f"cost_sha256 = '{SHA}'"), "cost_sha256"),
        ("schema = 1\n" + entry(more=f"cost = '../cost.onnx'\ncost_sha256 = '{SHA}'"), "below"),
        (
            "schema = 1\n" + entry("isgan-v1", "isgan", f"cost = 'c.onnx'\ncost_sha256 = '{SHA}'"),
            "unknown key cost",
        ),
        ("schema = 1\n" + entry(more="hub = 'owner/repo'\nrevision = 'main'"), "40 hexadecimal"),
        ("schema = 1\n" + entry(more="hub = 'owner'"), "owner/name"),
        ("schema = 1\n" + entry().replace("phase-v1/encoder", "../encoder"), "below"),
        ("schema = 1\n" + entry().replace("phase-v1/encoder", "/etc/encoder"), "below"),
        ("schema = 1\n" + entry(more="default=true") + entry("phase-v2", more="default=true"), "default"),
    ],
)
def test_a_bad_manifest_is_a_model_error(text, said):
    with pytest.raises(ModelError, match=r"manifest\.toml") as caught:
        parse_manifest(text, "manifest.toml")
    assert said in caught.value.message
