"""Run networks with ONNX Runtime: choose the device, check that it is the one requested, and tile.

If CUDA is requested but not available, the runtime uses the CPU and merely warns: the actual device is
therefore compared with the requested one.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from stegcli.errors import DeviceError, ModelError, UsageError, one_line
from stegcli.models.contract import Contract, parse_contract
from stegcli.models.graphs import check_graph
from stegcli.models.interrupts import interruptible
from stegcli.models.runtime import (
    MEMORY_BYTES,
    foreign_errors,
    give_back_memory,
    limits_constants,
    load_runtime,
    run_options,
    session_options,
)
from stegcli.models.tiling import TILE_PIXELS, plan_sample, plan_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from stegcli.models.tiling import Tile

    Planes = NDArray[np.float32]
    LoadTile = Callable[[Tile], Planes]

__all__ = ["DEVICES", "HINT", "Network", "open_network", "run_tiled"]

DEVICES = ("auto", "cpu", "cuda")

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


class Network:
    """A graph that is ready to run.

    Args:
        session: the runtime's session.
        contract: the graph's contract.
        device: "cpu" or "cuda", where it actually runs.
        source: name for messages.
    """

    def __init__(self, session: Any, contract: Contract, device: str, source: str) -> None:  # noqa: ANN401
        self.contract = contract
        self.device = device
        self._session = session
        self._source = source
        self._picture, self._scalars = _input_names(session, source)
        self._answer = _output_name(session, source)
        missing = sorted(contract.conditions - self._scalars)
        if missing:
            raise ModelError(f"{source} breaks its contract: it has no input {', '.join(missing)}", HINT)

    def run(self, planes: Planes, scalars: Mapping[str, float], *, more_to_come: bool = False) -> Planes:
        """Run the graph once.

        Args:
            planes: (1, C, H, W) float32 with sizes that are multiples of the contract's.
            scalars: values for its conditions, by name.
            more_to_come: keep the working memory for the next run, which then needs no fresh pages.

        Returns:
            (C', H, W) float32.

        Raises:
            ModelError: it needs other inputs, fails, or returns anything but finite numbers of that shape.
        """
        unknown = sorted(self._scalars - scalars.keys())
        if unknown:
            raise ModelError(
                f"{self._source} needs inputs that this stegcli does not know: {', '.join(unknown)}", HINT
            )
        feeds = {name: np.array([scalars[name]], dtype=np.float32) for name in self._scalars}
        options = run_options(keep_memory=more_to_come)
        with _translated(self._source, self.device):
            answer = interruptible(
                partial(self._session.run, [self._answer], {self._picture: planes, **feeds}, options),
                partial(setattr, options, "terminate", True),
            )[0]
        if not _is_picture(answer, planes.shape[2:], self.contract.planes_out):
            raise ModelError(f"{self._source} does not return a picture of the size of its input", HINT)
        return answer[0]  # type: ignore[no-any-return]


HINT = "Use weights made for this version of stegcli."


def _is_picture(answer: object, size: tuple[int, ...], planes: int | None) -> bool:
    """Whether a graph returned (1, planes, *size) float32, with only finite values."""
    return (
        isinstance(answer, np.ndarray)
        and answer.dtype == np.float32
        and answer.ndim == 4
        and len(answer) == 1
        and answer.shape[1] > 0
        and answer.shape[1] == (planes or answer.shape[1])
        and answer.shape[2:] == size
        and bool(np.isfinite(answer).all())
    )


def open_network(content: bytes, source: str, device: str = "auto") -> Network:
    """Load a graph.

    Args:
        content: the ONNX file.
        source: its name, for messages.
        device: one of `DEVICES`; auto uses CUDA if it works, else the CPU.
    """
    if device not in DEVICES:
        raise UsageError(f"there is no device {device!r}", f"Devices: {', '.join(DEVICES)}.")
    check_graph(content, source)
    if not limits_constants():
        _try_once(content, source)
    session = None if device == "cpu" else _cuda_session(content)
    real_device = "cpu" if session is None else "cuda"
    if session is None:
        with _translated(source, "cpu"):
            session = _started(content, session_options(limited=True), providers=[_CPU])
        if device == "cuda":  # the graph is valid, so that the device is at fault
            raise DeviceError(
                "CUDA was asked for, but onnxruntime cannot use it here",
                "If this machine has CUDA: `pip uninstall onnxruntime`, then `pip install 'stegcli[gpu]'`. "
                "If not: --device cpu.",
            )
    with _translated(source, "cpu"):
        metadata = session.get_modelmeta().custom_metadata_map
        return Network(session, parse_contract(metadata, source), real_device, source)


def run_tiled(
    network: Network,
    load: LoadTile,
    shape: tuple[int, int],
    scalars: Mapping[str, float],
    *,
    budget: int = TILE_PIXELS,
    sampled: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Iterator[tuple[slice, slice, Planes]]:
    """Run a network over a picture of any size.

    Args:
        network: the graph.
        load: tile -> (1, C, h, w) float32, already padded where the tile extends beyond the picture.
        shape: (height, width) of the picture.
        scalars: as for `Network.run`.
        budget: largest number of pixels per tile.
        sampled: run it only on some of the tiles, see `tiling.plan_sample`.
        progress: called with the share done, 0..1, after each tile.

    Yields:
        Rows, columns and (C', h, w) float32 values of each part of the picture, or of the sample, once each.
    """
    height, width = shape
    contract = network.contract
    padded = contract.padded(height), contract.padded(width)
    tiles = plan_sample(*padded, contract) if sampled else plan_tiles(*padded, contract, budget)
    give_back_memory()
    for done, tile in enumerate(tiles, start=1):
        kept = tile.keep(network.run(load(tile), scalars, more_to_come=done < len(tiles)))
        rows = slice(tile.kept_rows.start, min(tile.kept_rows.stop, height))
        cols = slice(tile.kept_cols.start, min(tile.kept_cols.stop, width))
        yield rows, cols, kept[:, : rows.stop - rows.start, : cols.stop - cols.start]
        if progress is not None:
            progress(done / len(tiles))


def _input_names(session: Any, source: str) -> tuple[str, set[str]]:  # noqa: ANN401
    """Return the names of the input that is a picture (4 axes), and of the conditions (1 axis)."""
    inputs = session.get_inputs()
    pictures = [each.name for each in inputs if len(each.shape) == 4]
    if len(pictures) != 1 or any(len(each.shape) != 1 for each in inputs if each.name != pictures[0]):
        raise ModelError(f"{source} does not have the inputs of a stegcli model", HINT)
    return pictures[0], {each.name for each in inputs} - set(pictures)


def _output_name(session: Any, source: str) -> str:  # noqa: ANN401
    """Return the name of the first output, which is the result."""
    outputs = session.get_outputs()
    if not outputs or outputs[0].type != "tensor(float)":
        raise ModelError(f"{source} does not have the output of a stegcli model", HINT)
    return str(outputs[0].name)


def _started(content: bytes, options: Any, **how: Any) -> Any:  # noqa: ANN401
    """Create a session, which computes constants and can take long."""
    start = partial(load_runtime().InferenceSession, content, options, **how)
    cancel = getattr(options, "set_load_cancellation_flag", lambda _wanted: None)  # new in onnxruntime 1.21
    return interruptible(start, partial(cancel, True))


def _try_once(content: bytes, source: str) -> None:
    """Run a graph once on a small picture, within its limit of memory.

    An older runtime computes constants without a limit while it loads a graph, but no more than this run
    does.
    """
    options = session_options(limited=True)
    options.graph_optimization_level = load_runtime().GraphOptimizationLevel.ORT_DISABLE_ALL
    with _translated(source, "cpu"):
        session = _started(content, options, providers=[_CPU])
        side = parse_contract(session.get_modelmeta().custom_metadata_map, source).padded(_TRIAL_SIDE)
        shapes = {each.name: _numbers(each.shape, side) for each in session.get_inputs()}
        if sum(prod(shape) for shape in shapes.values()) > _TRIAL_VALUES:
            raise ModelError(f"{source} does not have the inputs of a stegcli model", HINT)
        feeds = {name: np.full(shape, 0.5, np.float32) for name, shape in shapes.items()}
        trial = run_options(keep_memory=False)
        interruptible(partial(session.run, None, feeds, trial), partial(setattr, trial, "terminate", True))


_TRIAL_SIDE, _TRIAL_VALUES = 32, 1 << 23


def _numbers(shape: list[int | str | None], side: int) -> list[int]:
    """Replace the names in a declared shape with a number."""
    return [size if isinstance(size, int) else side for size in shape]


def _cuda_session(content: bytes) -> Any:  # noqa: ANN401
    """Return a session that really runs on CUDA, or None; if it is unavailable, the runtime only warns."""
    if _CUDA not in load_runtime().get_available_providers():
        return None
    # The default, exhaustive search, takes seconds for every new shape.
    providers = [(_CUDA, {"cudnn_conv_algo_search": "HEURISTIC"}), _CPU]
    try:
        # The runtime's own fallback prints to stdout.
        session = _started(content, session_options(limited=False), providers=providers, enable_fallback=0)
    except foreign_errors():
        return None
    return session if _CUDA in session.get_providers() else None


@contextmanager
def _translated(source: str, device: str) -> Iterator[None]:
    """Translate the runtime's exceptions, which share no base class, into ours."""
    try:
        yield
    except foreign_errors() as error:
        reason = one_line(error)
        if device == "cuda":
            raise DeviceError(
                f"{source} failed on CUDA: {reason[:_REASON_LENGTH]}", "Use --device cpu."
            ) from error
        if isinstance(error, MemoryError) or any(words in reason for words in _MEMORY_WORDS):
            raise ModelError(f"{source} needs more memory than it may use", _MEMORY_HINT) from error
        raise ModelError(f"{source} cannot be run: {reason[:_REASON_LENGTH]}", HINT) from error


_REASON_LENGTH = 200
_MEMORY_WORDS = ("Available memory of", "bad_alloc", "bad allocation", "Failed to allocate memory")
_MEMORY_HINT = (
    f"A graph may use {MEMORY_BYTES >> 30} GiB, or what is left on the machine: close other programs, or "
    "choose another model."
)
