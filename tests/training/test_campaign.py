"""A campaign of seconds: started, interrupted, resumed on another machine, listed, packed."""

import json
import logging
import os
import signal
import time
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from stegcli.errors import ExitCode, TrainingError, UsageError  # noqa: E402
from stegcli.training import campaign, jobs, pack, run  # noqa: E402
from stegcli.training.loop import export  # noqa: E402
from stegcli.training.loop.checkpoint import Run  # noqa: E402
from stegcli.training.paper import reproduce  # noqa: E402
from stegcli.training.phase import train_step  # noqa: E402

pytestmark = pytest.mark.train

TINY = """
model = "phase"
name = "tiny"
steps = 4
batch_size = 2
crop = 16
warmup_steps = 1
validate_every = 100
checkpoint_every = 100
validation_images = 2
pages = 8

[encoder]
widths = [4, 8]
blocks = [1, 1]

[decoder]
widths = [4, 8]
blocks = [1, 1]

[data]
pages = 1.0
"""

LIST = """
[[jobs]]
name = "first"
recipe = "{recipe}"
minutes = 1
done_when = "it is trained"

[jobs.goals]
"pages/revealed_psnr_db" = 5.0

[[jobs]]
name = "second"
recipe = "{recipe}"
begins_with = "first"
changes = {{ steps = 3 }}
done_when = "it is trained, too"

[[jobs]]
name = "elsewhere"
recipe = "{recipe}"
devices = ["cuda"]
done_when = "there is a card"

[[jobs]]
name = "later"
waits_for = "a tool that nobody has written"
done_when = "somebody has"
"""


@pytest.fixture
def listed(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "SIZES", ((64, 64),))
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    path = tmp_path / "campaign.toml"
    path.write_text(LIST.format(recipe=(tmp_path / "tiny.toml").as_posix()), encoding="utf-8")
    return path


def call(listed, state, *more):
    arguments = ["--campaign", str(listed), "--state", str(state), "--device", "cpu", *more]
    return campaign.main(arguments)


def test_jobs_are_done_in_order_and_packed(tmp_path, listed, capsys):
    state = tmp_path / "state"
    assert call(listed, state, "--list") == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["first", "second", "elsewhere", "later"]
    assert "waiting; done when it is trained" in lines[0]
    assert "waiting for first" in lines[1]
    assert "waits for a tool that nobody has written" in lines[3]
    assert call(listed, state, "--minutes", "5") == ExitCode.DONE
    capsys.readouterr()
    call(listed, state, "--list")
    lines = capsys.readouterr().out.splitlines()
    assert "done  pages/revealed_psnr_db" in lines[0]
    assert "(goal 5)" in lines[0]
    assert "done" in lines[1]
    assert "waiting" in lines[2]
    with zipfile.ZipFile(state / "first.zip") as archive:
        names = set(archive.namelist())
    assert {
        "checkpoint.pt",
        "run.json",
        "log.jsonl",
        "weights/encoder.onnx",
        "weights/manifest.toml",
    } <= names
    assert Run(state / "second").facts()["recipe"]["steps"] == 3
    rows = [json.loads(line) for line in (state / "first" / "log.jsonl").read_text("utf-8").splitlines()]
    assert rows[-1]["figures"]["pages/revealed_psnr_db"] > 0
    assert any(row.get("step") == 4 and "loss" in row for row in rows)


def test_ctrl_c_leaves_a_state_that_another_machine_resumes(tmp_path, listed, monkeypatch):
    step = train_step.PhaseTask.step

    def interrupted(task, batch, number):
        if number == 2:
            raise KeyboardInterrupt
        return step(task, batch, number)

    monkeypatch.setattr(train_step.PhaseTask, "step", interrupted)
    assert call(listed, tmp_path / "one") == ExitCode.INTERRUPTED
    monkeypatch.setattr(train_step.PhaseTask, "step", step)
    facts = Run(tmp_path / "one" / "first").facts()
    assert (facts["step"], facts["finished"]) == (2, False)
    (tmp_path / "other").mkdir()
    (tmp_path / "one" / "first.zip").rename(tmp_path / "other" / "first.zip")
    assert call(listed, tmp_path / "other", "--job", "first") == ExitCode.DONE
    facts = Run(tmp_path / "other" / "first").facts()
    assert (facts["step"], facts["finished"]) == (4, True)
    rows = (tmp_path / "other" / "first" / "log.jsonl").read_text("utf-8").splitlines()
    assert json.loads(rows[0])["time"] <= json.loads(rows[-1])["time"]
    assert not (tmp_path / "other" / "second").exists(), "--job means this one alone"


def test_a_time_limits_signal_is_an_interruption(tmp_path, listed, monkeypatch):
    """A real SIGTERM in the middle of a training."""
    step = train_step.PhaseTask.step

    def terminated(task, batch, number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(task, batch, number)

    monkeypatch.setattr(train_step.PhaseTask, "step", terminated)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        campaign.interruptible()
        assert call(listed, tmp_path / "state") == ExitCode.INTERRUPTED
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert Run(tmp_path / "state" / "first").load("phase")["step"] == 2
    assert (tmp_path / "state" / "first.zip").exists()


def test_time_that_is_up_ends_a_piece_between_steps(tmp_path, listed):
    state = jobs.State(tmp_path / "state")
    options = run.TrainOptions(device="cpu")
    piece = campaign.Piece(jobs.read(listed), state, options, ends=time.monotonic() - 1)
    assert piece.next_job() is None
    assert campaign.work(piece.campaign.named("first"), piece)
    assert state.facts("first")["step"] == 0
    assert jobs.next_job(piece.campaign, state, "cpu", 9).name == "first"


def test_what_the_modules_say_is_in_the_log(tmp_path, listed):
    job = jobs.read(listed).named("first")
    with campaign.journal(job, tmp_path / "first"):
        logging.getLogger("stegcli.training.isgan.train_step").warning("step %d: it is over", 7)
    logging.getLogger("stegcli.training.isgan.train_step").warning("nobody listens")
    (row,) = (tmp_path / "first" / "log.jsonl").read_text("utf-8").splitlines()
    assert json.loads(row)["note"] == "step 7: it is over"


def test_a_finished_run_is_packed_without_its_optimisers_where_it_must(tmp_path, monkeypatch):
    job = Run(tmp_path / "job")
    state = {"generator": torch.ones(8), "optimisers": [torch.rand(1 << 18)]}
    job.save("rehman", 3, {}, state)
    monkeypatch.setattr(pack, "LIMIT", 1 << 19)
    with pytest.raises(TrainingError, match="are allowed"):
        pack.pack(job.folder, tmp_path / "job.zip")
    job.write_json(finished=True)
    assert pack.pack(job.folder, tmp_path / "job.zip") < 1 << 14
    pack.unpack(tmp_path / "job.zip", tmp_path / "copy")
    content = Run(tmp_path / "copy").load("rehman")
    assert set(content["state"]) == {"generator"}
    assert content["step"] == 3
    assert "optimisers" in job.load()["state"]


def test_a_pack_that_is_too_large_is_refused_and_a_strangers_is_not_opened(tmp_path, monkeypatch):
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "checkpoint.pt").write_bytes(bytes(range(256)) * 8)
    (folder / "events.out").write_bytes(b"stays")
    assert pack.pack(folder, tmp_path / "job.zip") < 2048
    pack.unpack(tmp_path / "job.zip", tmp_path / "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {"checkpoint.pt"}
    monkeypatch.setattr(pack, "LIMIT", 100)
    with pytest.raises(TrainingError, match=r"MiB; at most .* are allowed") as caught:
        pack.pack(folder, tmp_path / "large.zip")
    assert "checkpoint.pt is its largest file" in caught.value.hint
    assert not (tmp_path / "large.zip").exists()
    for name in ("../outside.json", "run.py"):
        with zipfile.ZipFile(tmp_path / "strange.zip", "w") as archive:
            archive.writestr(name, "x")
        with pytest.raises(TrainingError, match="not the pack of a job"):
            pack.unpack(tmp_path / "strange.zip", tmp_path / "strange")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(TrainingError, match="cannot be unpacked"):
        pack.unpack(tmp_path / "broken.zip", tmp_path / "broken")


def test_a_table_is_measured_in_its_jobs_folder(tmp_path, monkeypatch):
    job = jobs.Job("table", "it is written", measures=("--table", "6", "--basic", "{first}"), minutes=2)
    first = jobs.Job("first", "it is trained", recipe="table4")
    state = jobs.State(tmp_path)
    Run(state.place("first")).write_json(finished=True)
    listed = jobs.Campaign((first, job))
    assert jobs.next_job(listed, state, "cpu", minutes=1) is None, "there is no time to measure"
    assert jobs.next_job(listed, state, "cpu", minutes=3) is job
    asked, page = [], tmp_path / "page.md"
    page.write_text("a table")

    def measured(table, wishes):
        asked.append((table, wishes))
        return page

    monkeypatch.setattr(reproduce, "reproduce", measured)
    piece = campaign.Piece(
        listed, state, run.TrainOptions(Path("photos"), device="cpu"), time.monotonic() + 60
    )
    assert campaign.work(job, piece)
    ((table, wishes),) = asked
    assert (table, wishes.basic, wishes.out) == (6, str(tmp_path / "first"), tmp_path / "table")
    assert state.is_done("table")
    assert state.packed("table").exists()


def test_the_programs_own_list_can_be_trained():
    """Every recipe can be read with its changes, and the starting points of all jobs exist."""
    from stegcli.models import store

    listed = jobs.read()
    names = {job.name for job in listed.jobs}
    for job in listed.jobs:
        if job.recipe:
            recipe = jobs.recipe_of(job)
            assert recipe.name == job.name
        if job.begins_with and job.begins_with not in names:
            store.find(job.begins_with)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[jobs]]\nname = "a"\ndone_when = "x"', "give one of recipe, measures and waits_for"),
        ('[[jobs]]\nname = "a"\ndone_when = "x"\nrecipe = "smoke"\nspeed = 3', "unknown setting"),
        ('[[jobs]]\nname = "a"\ndone_when = "x"\nrecipe = "smoke"\ndevices = ["tpu"]', "devices are"),
        ("[[jobs]", "is not valid TOML"),
        (
            '[[jobs]]\nname = "a"\ndone_when = "x"\nrecipe = "smoke"\nbegins_with = "b"\n'
            '[[jobs]]\nname = "b"\ndone_when = "x"\nrecipe = "smoke"',
            "a needs b, which must come before it",
        ),
    ],
)
def test_a_list_that_makes_no_sense(tmp_path, text, message):
    path = tmp_path / "list.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError, match=message):
        jobs.read(path)


@pytest.mark.parametrize(("name", "cause"), [("later", "a tool that nobody"), ("second", "first")])
def test_a_job_that_cannot_begin_says_what_it_waits_for(tmp_path, listed, capsys, name, cause):
    assert call(listed, tmp_path / "state", "--job", name) == ExitCode.USAGE
    assert f"{name} waits for {cause}" in capsys.readouterr().err


def test_jobs_and_lists_that_are_not_there(tmp_path, listed, capsys):
    with pytest.raises(UsageError, match="no job third"):
        jobs.read(listed).named("third")
    assert campaign.main(["--state", str(tmp_path), "--campaign", str(tmp_path / "none.toml")]) == 8
    assert "cannot be read" in capsys.readouterr().err
