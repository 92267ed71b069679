"""The manifest: literal, checked, and helpful if a name is unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stegcli.errors import ModelError
from stegcli.models import store
from stegcli.models.contract import EXTRA_ROLES, ROLES
from stegcli.models.manifest import Manifest, ModelEntry, parse_manifest, render_manifest

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
        ("schema = 1\nmodels = 3", "tables like [models.phase-v1]"),
        ("schema = 1\nmodels = []", "tables like [models.phase-v1]"),
        ("schema = 1\n[models]\nphase = 3", "tables like [models.phase-v1]"),
        ("schema = 1\n" + entry().replace('"phase"', '["phase"]'), "family must be given as text"),
        ("schema = 1\n" + entry(more="default = 3"), "default must be true or false"),
        ("schema = 1\n" + entry(more="description = 3"), "description must be given as text"),
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


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ("{a=", "}")])
def test_a_manifest_that_is_nested_deeply_is_a_model_error(open_, close):
    with pytest.raises(ModelError, match="nested too deeply"):
        parse_manifest("schema = 1\nx = " + 5000 * open_ + "1" + 5000 * close, "manifest.toml")


@pytest.mark.parametrize("line", ["{}b = 1", "[{}b]", "x = {{ {}b = 1 }}", "[[{}b]]"])
@pytest.mark.parametrize("key", ["a.", "a . ", "'a'.", '"a.\\"".'])
def test_a_key_of_many_parts_takes_no_time(line, key):
    """The parser's time grows with the square of their number: a mebibyte of them would take hours."""
    with pytest.raises(ModelError, match="nested too deeply"):
        parse_manifest("schema = 1\n" + line.format(key * 10_000), "manifest.toml")


def test_dots_of_sentences_are_no_depth():
    words = 33 * "a." + " " + 33 * "Dots. "
    assert parse_manifest(f"# {words}\nschema = 1\n[models]", words) == Manifest(())
    with pytest.raises(ModelError, match="schema must be 1"):
        parse_manifest(f'schema = "{words}"', "manifest.toml")


def test_the_programs_own_manifest_survives_being_written():
    models = tuple(files.entry for files in store.catalog())
    assert parse_manifest(render_manifest(models), "manifest.toml") == Manifest(models)


NAMES = st.text("abz059._-", max_size=8).map(lambda rest: "m" + rest)
DIGESTS = st.integers(0, 2**256 - 1).map("{:064x}".format)
HUBS = st.sampled_from([{}, {"hub": "owner/some.model", "revision": 40 * "a"}])


@st.composite
def entries(draw):
    family = draw(st.sampled_from(list(ROLES)))
    roles = [*ROLES[family], *(EXTRA_ROLES.get(family, ()) if draw(st.booleans()) else ())]
    return ModelEntry(
        id=draw(NAMES),
        family=family,
        files={role: "/".join(draw(st.lists(NAMES, min_size=1, max_size=2))) for role in roles},
        sha256={role: draw(DIGESTS) for role in roles},
        progressive=draw(st.booleans()),
        description=draw(st.text(st.characters(exclude_categories=["Cs"]))),
        **draw(HUBS),
    )


@given(st.lists(entries(), max_size=3, unique_by=lambda entry: entry.id))
def test_whatever_is_written_is_read_as_the_same(models):
    text = render_manifest(models).encode("utf-8").decode("utf-8")
    assert parse_manifest(text, "manifest.toml").models == tuple(models)


@pytest.mark.parametrize(
    "description",
    ['says "no"', "a\\b", "two\nlines", "tab\t", "\x00\x1f\x7f", "\U0001f600", "]\n[models.x]", "\ud800"],
)
def test_a_description_may_say_anything(description):
    files = {"encoder": "e.onnx", "decoder": "d.onnx"}
    model = ModelEntry("phase-v1.2", "phase", files, dict.fromkeys(files, SHA), description=description)
    (read,) = parse_manifest(render_manifest([model]).encode().decode(), "manifest.toml").models
    assert (read.id, read.description) == ("phase-v1.2", description.replace("\ud800", "?"))
