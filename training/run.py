"""Training runs from settings to folder: the functions behind `stegcli train` and `stegcli export`.

recipe + options ─> pools ─> feed ┐
                    networks ─> task ├─> fit ─> RUN/ ─> export ─> encoder.onnx, decoder.onnx
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import parse_flag_from_env

from stegcli.errors import DeviceError, TrainingError, one_line
from stegcli.methods.phase.planes import ALL_PLANES
from stegcli.training import config, starting
from stegcli.training.config import PhaseRecipe
from stegcli.training.data import feeds
from stegcli.training.isgan.export import CONTRACT, isgan_graphs
from stegcli.training.isgan.generator import FAMILIES
from stegcli.training.isgan.recipe import IsganRecipe
from stegcli.training.isgan.train_step import IsganTask
from stegcli.training.loop.checkpoint import Run, environment
from stegcli.training.loop.export import Graph, write_model
from stegcli.training.loop.fit import Feed, Outcome, Plain, Plan, Reporter, Task, fit, memory_checked
from stegcli.training.phase.networks import PhaseDecoder, PhaseEncoder
from stegcli.training.phase.pages import find_fonts
from stegcli.training.phase.train_step import PhaseCodec, PhaseTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainOptions:
    """What a user chooses besides the recipe."""

    data_root: Path | None = None
    fonts: tuple[Path, ...] = ()
    device: str = "auto"
    compiled: bool = False
    minutes: float | None = None
    """Minutes after which it pauses, including the time for reading pictures."""
    initial: str | Path | None = None
    """Starting point of a new run: another run of the same model, a folder of weights, or a model's id."""


Recipe = PhaseRecipe | IsganRecipe


def recipe_kind(model: str) -> type[PhaseRecipe] | type[IsganRecipe]:
    """Return the dataclass of a model's recipes; TrainingError for an unknown model."""
    if model == "phase":
        return PhaseRecipe
    if model in FAMILIES:
        return IsganRecipe
    raise TrainingError(f"no model {model}", hint=f"one of phase, {', '.join(FAMILIES)}")


def read_recipe(name: str | Path) -> Recipe:
    """Read a recipe by name or path, as the dataclass of the model that it names."""
    table = config.read_table(name)
    return config.build(recipe_kind(str(table.get("model"))), table)


def recipe_of(folder: Path) -> Recipe:
    """Return the recipe of the run in `folder`."""
    content = Run(folder).load()
    return config.build(recipe_kind(content["model"]), content["recipe"])


def start(recipe: Recipe, folder: Path, options: TrainOptions, reporter: Reporter | None = None) -> Outcome:
    """Train in a new folder."""
    if (folder / "checkpoint.pt").exists():
        raise TrainingError(f"{folder} holds a run already", hint=f"--resume {folder}, or another folder")
    return _train(recipe, Run(folder), options, reporter or Plain(), None)


def resume(
    folder: Path, options: TrainOptions, reporter: Reporter | None = None, recipe: Recipe | None = None
) -> Outcome:
    """Resume the run in `folder`, with its recipe or another one of the same model."""
    run = Run(folder)
    own = recipe_of(folder)
    if recipe is not None and recipe.model != own.model:
        raise TrainingError(
            f"{folder} holds {own.model}, not {recipe.model}", hint=f"resume with a recipe for {own.model}"
        )
    return _train(recipe or own, run, options, reporter or Plain(), run.load(own.model))


def _train(
    recipe: Recipe, run: Run, options: TrainOptions, reporter: Reporter, content: dict[str, Any] | None
) -> Outcome:
    with memory_checked():
        return _train_with_memory(recipe, run, options, reporter, content)


def _train_with_memory(
    recipe: Recipe, run: Run, options: TrainOptions, reporter: Reporter, content: dict[str, Any] | None
) -> Outcome:
    begun = time.time()
    run.folder.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator(options.device)
    pools = [_pool(name, weight, recipe, options) for name, weight in recipe.data.items()]
    data = {p.name: {"sha256": p.digest, "tiles": len(p.train), "held_out": len(p.held_out)} for p in pools}
    if content is not None and run.facts().get("data", data) != data:
        log.warning("these are not the pictures that the run began with")
    if accelerator.is_main_process:
        run.write_json(
            model=recipe.model,
            recipe=config.as_table(recipe),
            data=data,
            processes=accelerator.num_processes,
            **environment(accelerator.device),
        )
    feed, task = _feed(recipe, pools, accelerator), _task(recipe, accelerator, options.compiled)
    first = 0
    if content is not None:
        _load_state(task.load_state_dict, content, run)
        first = int(content["step"])
    elif options.initial is not None:
        starting.begin(task, recipe.model, options.initial)
    left = None if options.minutes is None else options.minutes - (time.time() - begun) / 60
    plan = Plan(
        recipe.model,
        config.as_table(recipe),
        recipe.steps,
        recipe.validate_every,
        recipe.checkpoint_every,
        left,
        writes=accelerator.is_main_process,
    )
    outcome = fit(task, feed, run, plan, reporter, first)
    if accelerator.is_main_process:
        run.write_json(seconds_last_piece=round(time.time() - begun), finished=outcome.finished)
    accelerator.wait_for_everyone()
    return outcome


def _load_state(take: Callable[[dict[str, Any]], None], content: dict[str, Any], run: Run) -> None:
    try:
        take(content["state"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"{run.checkpoint} does not fit the recipe: {one_line(error)}",
            hint="resume with the recipe that it was trained with",
        ) from error


def _pool(name: str, weight: float, recipe: Recipe, options: TrainOptions) -> feeds.Pool:
    if isinstance(recipe, IsganRecipe):
        return feeds.load_pool(name, weight, options.data_root, "RGB", recipe.validation_images)
    if name == "pages":
        fonts = find_fonts(options.fonts)
        return feeds.load_page_pool(recipe.pages, weight, recipe.seed, fonts, recipe.validation_images)
    return feeds.load_pool(name, weight, options.data_root, "L", recipe.validation_images)


def _feed(recipe: Recipe, pools: list[feeds.Pool], accelerator: Accelerator) -> Feed:
    kind = feeds.PairFeed if isinstance(recipe, IsganRecipe) else feeds.PhaseFeed
    return kind(
        pools,
        recipe.batch_size,
        recipe.crop,
        recipe.seed,
        accelerator.device,
        accelerator.process_index,
        accelerator.num_processes,
    )


def _task(recipe: Recipe, accelerator: Accelerator, compiled: bool) -> Task:
    if isinstance(recipe, IsganRecipe):
        return IsganTask(recipe, accelerator, compiled=compiled)
    return PhaseTask(recipe, accelerator, compiled=compiled)


def make_accelerator(device: str) -> Accelerator:
    """Use bfloat16 on a CUDA device and float32 on the CPU, which `accelerate launch --cpu` selects, too."""
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise DeviceError(
            "there is no CUDA device to train on", "Use --device cpu, or a torch built for CUDA."
        )
    told_cpu = device == "cpu" or (device == "auto" and parse_flag_from_env("ACCELERATE_USE_CPU"))
    on_cuda = cuda and not told_cpu
    if on_cuda:
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    return Accelerator(cpu=not on_cuda, mixed_precision="bf16" if on_cuda else "no")


def export_run(folder: Path, output: Path, model_id: str, description: str = "") -> dict[str, float]:
    """Write the ONNX files of a run of any model; return errors as `export_phase`."""
    content = Run(folder).load()
    if content["model"] == "phase":
        return export_phase(folder, output, model_id, description)
    recipe = config.build(IsganRecipe, content["recipe"])
    told = description or f"{recipe.model}, trained for {content['step']} of {recipe.steps} steps"
    return write_model(output, model_id, isgan_graphs(content), CONTRACT, told)


def export_phase(folder: Path, output: Path, model_id: str, description: str = "") -> dict[str, float]:
    """Write the ONNX files of the run in `folder`; return the largest difference from torch by role."""
    content = Run(folder).load("phase")
    recipe = config.build(PhaseRecipe, content["recipe"])
    codec = PhaseCodec(recipe)
    codec.load_state_dict(content["state"]["codec"])
    return write_model(
        output,
        model_id,
        phase_graphs(codec.encoder, codec.decoder),
        phase_contract(recipe),
        description or f"trained for {content['step']} of {recipe.steps} steps",
    )


def phase_graphs(encoder: PhaseEncoder, decoder: PhaseDecoder) -> list[Graph]:
    """Return both networks with inputs as in hiding and revealing."""
    sigma, damage = torch.tensor([0.0278]), torch.tensor([0.0])
    secret, phase = torch.rand(1, 1, 64, 64), torch.rand(1, 2, 64, 64)
    told = {} if encoder.mask is None else {"planes": torch.tensor([40.0])}
    return [
        Graph("encoder", encoder, {"secret": secret, "sigma": sigma, **told}, "targets"),
        Graph("decoder", decoder, {"phase": phase, "sigma": sigma, "damage": damage, **told}, "revealed"),
    ]


def phase_contract(recipe: PhaseRecipe) -> dict[str, str]:
    """Return the contract of the files (stegcli.models.contract)."""
    shapes = (recipe.encoder, recipe.decoder)
    low, high = recipe.channel.gaussian_sigma
    return {
        "contract": "1",
        "family": "phase",
        "multiple": str(max(s.multiple for s in shapes)),
        "halo": str(max(s.halo for s in shapes)),
        "planes": str(ALL_PLANES),
        "fewest_planes": str(recipe.fewest_planes),
        "sigma_min": str(low),
        "sigma_max": str(high),
    }
