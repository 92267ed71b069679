"""`stegcli train` and `stegcli export` as users run them."""

import json
from pathlib import Path

import pytest
from desk import Desk
from PIL import Image
from skimage import data

pytest.importorskip("torch")

pytestmark = pytest.mark.train

RECIPE = """
model = "phase"
name = "tiny"
steps = 3
batch_size = 2
crop = 16
pages = 4
validation_images = 2
encoder = { widths = [4, 8], blocks = [1, 1] }
decoder = { widths = [4, 8], blocks = [1, 1] }
data = { pages = 1.0 }
"""
NO_TORCH = "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None"


@pytest.fixture
def studio(desk: Desk) -> Desk:
    """A desk with a recipe and a folder of photographs."""
    desk.put_bytes("tiny.toml", RECIPE.encode())
    (desk.folder / "album").mkdir()
    source = data.astronaut()
    for number in range(12):
        Image.fromarray(source[30 * number :][:96, :128]).save(desk.folder / "album" / f"{number}.png")
    return desk


TRAIN = ("train", "--recipe", "tiny.toml", "--dataset", "folder:album", "--device", "cpu")

DAMAGED = "damaged_3_percent_psnr_db"


def test_train_export_hide_reveal(studio: Desk) -> None:
    trained = studio.run(*TRAIN, "--out", "run", "--json", "-v")
    assert trained.code == 0, trained.err
    told = trained.json
    assert (told["run"], told["model"], told["recipe"], told["step"]) == ("run", "phase", "tiny", 3)
    assert (told["finished"], told["interrupted"]) == (True, False)
    names = {f"{data}/{case}" for data in ("folder:album", "pages") for case in ("revealed_psnr_db", DAMAGED)}
    assert set(trained.json["figures"]) == names
    assert "11 pictures to train" in trained.err
    exported = studio.run("export", "run", "-o", "weights", "--json")
    assert exported.code == 0, exported.err
    assert exported.json["model"].startswith("run-")
    assert max(exported.json["parity"].values()) <= 1e-4
    with_weights = (
        "-o",
        "s.png",
        "--weights",
        "weights",
        "--floor",
        "0",
        "--json",
    )  # three steps teach little
    hidden = studio.run("hide", "cover.png", "secret.png", *with_weights)
    assert hidden.json["model"] == exported.json["model"]
    revealed = studio.run("reveal", "s.png", "-o", "r.png", "--weights", "weights")
    assert revealed.code == 0
    assert studio.pixels("r.png").shape == (256, 256)


def test_a_pause_says_how_to_go_on(studio: Desk) -> None:
    paused = studio.run(*TRAIN, "--out", "a run", "--minutes", "0", "--steps", "500")
    assert paused.code == 0
    assert "paused after" in paused.out
    assert "stegcli train --resume 'a run'" in paused.out
    assert "stegcli export 'a run'" in paused.out
    resumed = studio.run("train", "--resume", "a run", "--steps", "4", "--device", "cpu", "--quiet")
    assert resumed.code == 0, resumed.err
    assert resumed.out == "a run\n"
    assert resumed.err == ""
    assert json.loads(Path("a run/run.json").read_text(encoding="utf-8"))["step"] == 4


def test_ctrl_c_keeps_a_checkpoint(studio: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from stegcli.training.phase.train_step import PhaseTask

    step = PhaseTask.step

    def interrupted(task, batch, number):
        if number == 2:
            raise KeyboardInterrupt
        return step(task, batch, number)

    monkeypatch.setattr(PhaseTask, "step", interrupted)
    stopped = studio.run(*TRAIN, "--out", "run")
    assert stopped.code == 130
    assert "run: phase interrupted after 2 of 3 steps" in stopped.out
    assert "stegcli train --resume run" in stopped.out
    assert studio.run("export", "run", "-o", "weights").code == 0


def test_ctrl_c_before_the_first_step_leaves_nothing(studio: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from stegcli.training.data import feeds

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(feeds, "load_pool", stop)
    stopped = studio.run(*TRAIN, "--out", "run")
    assert (stopped.code, stopped.err.splitlines()[-1]) == (130, "  No checkpoint was written yet.")
    assert not Path("run").exists()


def test_ctrl_c_while_a_run_is_read_again_names_its_checkpoint(
    studio: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stegcli.training.data import feeds

    def stop(*args):
        raise KeyboardInterrupt

    trained = studio.run(*TRAIN, "--out", "a run", "--json")
    assert (trained.code, trained.err) == (0, "")
    monkeypatch.setattr(feeds, "load_pool", stop)
    stopped = studio.run("train", "--resume", "a run", "--steps", "9", "--device", "cpu", "--quiet")
    assert stopped.code == 130
    told = "  The last checkpoint is kept: stegcli train --resume 'a run'"
    assert stopped.err.splitlines() == ["error: interrupted", told]


def test_default_folders_do_not_collide(studio: Desk) -> None:
    for folder in ("runs/tiny", "runs/tiny-2"):
        assert studio.run(*TRAIN, "--steps", "1", "--quiet").out == f"{folder}\n"


@pytest.mark.parametrize(
    ("code", "words", "args"),
    [
        (8, "no recipe nope", ["--recipe", "nope"]),
        (8, "for phase, not for isgan", ["--recipe", "tiny.toml", "--model", "isgan"]),
        (8, "not a folder", ["--recipe", "tiny.toml", "--dataset", "folder:absent"]),
        (8, "no data set lfws", ["--recipe", "tiny.toml", "--dataset", "lfws"]),
        (8, "0 pictures", ["--recipe", "tiny.toml", "--dataset", "folder:empty"]),
        (8, "crop must be", ["--recipe", "wrong.toml"]),
        (8, "unknown setting stepps", ["--recipe", "misspelt.toml"]),
        (8, "no checkpoint in absent", ["--resume", "absent"]),
        (8, "cannot be read", ["--resume", "damaged"]),
        (2, "exclude each other", ["--resume", "damaged", "--out", "x"]),
        (2, "how long to train", ["--steps", "3", "--epochs", "3"]),
        (2, "empty name", ["--recipe", "tiny.toml", "--dataset", "lfw,"]),
        (2, "cannot write", ["--recipe", "tiny.toml", "--out", "cover.png"]),
    ],
)
def test_what_train_refuses(studio: Desk, code: int, words: str, args: list[str]) -> None:
    (studio.folder / "empty").mkdir()
    (studio.folder / "damaged").mkdir()
    studio.put_bytes("damaged/checkpoint.pt", b"garbage")
    studio.put_bytes("wrong.toml", RECIPE.replace("crop = 16", "crop = 17").encode())
    studio.put_bytes("misspelt.toml", RECIPE.replace("steps", "stepps").encode())
    outcome = studio.run("train", "--device", "cpu", "--quiet", *args)
    assert outcome.code == code, outcome
    reason, cure = outcome.err.splitlines()
    assert words in reason
    assert cure.strip()
    assert not (studio.folder / "runs").exists() or not list((studio.folder / "runs").iterdir())
    studio.check_inputs()


def test_what_export_refuses(studio: Desk) -> None:
    studio.refuses(8, "export", "absent", "-o", "weights", words="no checkpoint")
    studio.refuses(2, "export", "absent", "--name", "Not An Id", words="cannot be the id")
    (studio.folder / "weights").mkdir()
    studio.put_bytes("weights/manifest.toml", b"schema = 1\n")
    studio.refuses(2, "export", "absent", "-o", "weights", words="holds weights already")


@pytest.mark.parametrize("args", [["train", "--dataset", "lfw"], ["export", "run"]])
def test_without_the_extra_the_cure_is_named(desk: Desk, args: list[str]) -> None:
    outcome = desk.refuses(7, *args, process=NO_TORCH, words="training needs torch")
    assert "pip install 'stegcli[train]'" in outcome.err


def test_progress_on_a_terminal(studio: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses, PSNR and the time left; and nothing drawn by rich without a terminal."""
    import io

    from stegcli.cli import training_report
    from stegcli.cli.report import Talk

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with training_report.reporting(Talk(), None) as reporter:
        reporter.progress(50, 200, {"loss": 0.25, "psnr_db": 31.5})
        reporter.progress(100, 200, {"loss": 0.125, "psnr_db": 33.25})
        reporter.validated(100, {"lfw/revealed_psnr_db": 40.0, "lfw/revealed_ssim": 0.9})
    text = terminal.getvalue()
    for words in (
        "step 100/200",
        "loss 0.125",
        "revealed 33.25 dB",
        "0:00 left",
        "lfw revealed PSNR 40.00 dB",
    ):
        assert words in text


def test_time_left() -> None:
    from stegcli.cli.training_report import TimeLeft, _left_text

    now = [0.0]
    left = TimeLeft(None, lambda: now[0])
    assert left.after(100, 1000) is None
    now[0] = 10.0
    assert left.after(200, 1000) == pytest.approx(80)
    limited = TimeLeft(1.0, lambda: now[0])
    limited.after(0, 1000)
    now[0] = 40.0
    assert limited.after(10, 1000) == pytest.approx(30), "the limit comes first"
    assert [_left_text(s) for s in (None, 5, 65, 3725)] == ["", "0:05 left", "1:05 left", "1:02:05 left"]
