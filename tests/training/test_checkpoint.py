"""A run's folder: whole or not at all, and what is refused."""

import json

import pytest
import torch

from stegcli.errors import OutputError, TrainingError
from stegcli.training.loop import checkpoint
from stegcli.training.loop.checkpoint import Run

pytestmark = pytest.mark.train

STATE = {"weights": torch.arange(4.0), "step": 3, "names": ["a", "b"]}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    run.save("phase", 7, {"steps": 9}, STATE)
    return run


def test_what_is_saved_is_loaded(run):
    content = run.load("phase")
    assert {**content, "state": None} == {
        "format": 1, "model": "phase", "step": 7, "recipe": {"steps": 9}, "state": None,
    }  # fmt: skip
    assert torch.equal(content["state"]["weights"], STATE["weights"])
    assert content["state"]["names"] == ["a", "b"]


def test_another_models_checkpoint(run):
    with pytest.raises(TrainingError, match="holds phase, not isgan"):
        run.load("isgan")


def test_another_versions_checkpoint(run):
    for content in ({"format": 99, "model": "phase"}, {"model": "phase"}, [1, 2]):
        torch.save(content, run.checkpoint)
        with pytest.raises(TrainingError, match="another version"):
            run.load("phase")


def test_damaged_and_missing_checkpoints(run):
    whole = run.checkpoint.read_bytes()
    for content in (b"", b"garbage", whole[: len(whole) // 2]):
        run.checkpoint.write_bytes(content)
        with pytest.raises(TrainingError, match="cannot be read"):
            run.load()
    run.checkpoint.unlink()
    for folder in (run.folder, run.folder / "absent"):
        with pytest.raises(TrainingError, match="no checkpoint") as refused:
            Run(folder).load()
        assert refused.value.hint


def test_a_checkpoint_runs_no_code(run):
    class Trap:
        def __reduce__(self):
            return print, ("sprung",)

    torch.save({"format": 1, "model": "phase", "state": Trap()}, run.checkpoint)
    with pytest.raises(TrainingError, match="cannot be read"):
        run.load()


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_save_leaves_the_old_one(run, monkeypatch, error):
    before = run.checkpoint.read_bytes()

    def fail(content, file):
        file.write(b"half")
        raise error

    monkeypatch.setattr(checkpoint.torch, "save", fail)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        run.save("phase", 8, {}, STATE)
    assert run.checkpoint.read_bytes() == before
    assert [path.name for path in run.folder.iterdir()] == ["checkpoint.pt"]


def test_facts_are_merged(run):
    assert run.facts() == {}
    run.write_json(step=1, data={"lfw": 2})
    run.write_json(step=2)
    assert run.facts() == {"step": 2, "data": {"lfw": 2}}
    assert json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["step"] == 2


def test_the_environment_says_where_a_run_ran():
    facts = checkpoint.environment(torch.device("cpu"))
    assert facts["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert "CPU" in facts["hardware"]
    json.dumps(facts)


def test_a_model_id_names_folder_and_checkpoint(run):
    first = run.model_id()
    assert first.startswith("run-")
    assert len(first) == len("run-") + 8
    run.save("phase", 8, {}, STATE)
    assert run.model_id() != first
    odd = Run(run.folder.rename(run.folder.parent / "My run_Ünï!"))
    assert odd.model_id().startswith("my-run-n-")
    with pytest.raises(TrainingError, match="no checkpoint"):
        Run(run.folder).model_id()


def test_grids_are_pictures(run):
    from PIL import Image

    for name, planes in (("gray", 1), ("colour", 3)):
        run.save_grid(name, 12, torch.linspace(-0.5, 1.5, planes * 6).reshape(planes, 2, 3))
        with Image.open(run.folder / "samples" / f"{name}-000012.png") as image:
            assert image.size == (3, 2)
            assert image.mode == ("L" if planes == 1 else "RGB")
