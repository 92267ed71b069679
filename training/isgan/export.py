"""Export a run of ISGAN or its basic model: two folded graphs with their contracts.

checkpoint.pt ─> Generator ─ fold the batch normalisation ─> encoder.onnx (halo 16), decoder.onnx (halo 5)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from stegcli.errors import TrainingError
from stegcli.training.isgan.generator import FAMILIES, Generator
from stegcli.training.isgan.networks import Decoder, Encoder, folded
from stegcli.training.loop.export import Graph

CONTRACT = {"contract": "1", "family": "isgan", "multiple": "1"}
"""Contract of both files (stegcli.models.contract); each has its own halo."""


def trained_generator(content: Mapping[str, Any]) -> Generator:
    """Return the networks of a run's checkpoint, in evaluation mode."""
    generator = Generator(content["model"])
    generator.load_state_dict(content["state"]["generator"])
    return generator.eval()


def isgan_graphs(content: Mapping[str, Any]) -> list[Graph]:
    """Return both networks with inputs as in hiding and revealing.

    Raises TrainingError for a model that only serves comparison in the tables.
    """
    if not FAMILIES[content["model"]].in_luma:
        raise TrainingError(
            f"{content['model']} only serves comparison in the tables; stegcli cannot hide with it",
            hint="measure it with `stegcli evaluate --models RUN`, or export isgan, isgan-basic or phase",
        )
    generator = trained_generator(content)
    planes, stego_luma = torch.rand(1, 2, 64, 64), torch.rand(1, 1, 64, 64)
    return [
        Graph(
            "encoder",
            folded(generator.encoder),
            {"planes": planes},
            "stego_luma",
            {"halo": str(Encoder.HALO)},
        ),
        Graph(
            "decoder",
            folded(generator.decoder),
            {"stego_luma": stego_luma},
            "revealed",
            {"halo": str(Decoder.HALO)},
        ),
    ]
