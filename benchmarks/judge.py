"""Train the judge that `hide --cover-from` ranks covers by, write it, and measure it on other covers.

    python benchmarks/judge.py --data-root DIR [--covers N] [--features NAME] [--out results/judge.json]

Photographs: every picture of the imagenet and voc2012 sets under --data-root, in two parts: the costs of
`hide` learned from the first alone, and so does the judge. It learns to tell covers from stegos of the phase
channel, as JPEGs hold them and shrunk by a quarter; weights/judge-v1/judge.onnx and its checksum in
weights/manifest.toml are written anew, unless --keep.

From the other part detectors of the lab learn, one for each spread, by --features of their own; each rates
the stegos of the fifth of that part that it did not learn from. Measured is how well the judge, and other
figures that a stego could be chosen by, rank these as the detector does: Spearman's correlation, and how
often the one of ten covers, drawn at random, that a figure likes best is the detector's best or second best
(at random: 0.2). Again among covers of two kinds: every other one is enlarged instead of shrunk, which no
judge has learned, and there are detectors of each kind.

Last, the chance that such a detector misses a stego, by the judge's score of it: a logistic curve through one
half of those covers, measured on the other against the share that is missed at each spread. With the
judge it goes into the program (stegcli/risk.json), for `stegcli check`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stegcli import forecast, judge, photos
from stegcli.lab import ensemble, security, statistics
from stegcli.lab.covers import learning_and_judging
from stegcli.lab.features import features
from stegcli.lab.subjects import PhaseSubject
from stegcli.provenance import commit

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
MODEL = "judge-v1"
SHRINKS = (1.0, security.SHRINK)
LEARNED = (4, 8)
"""Spreads whose stegos the judge learns from: below, a detector needs no good luck; above, it has none."""
SEEDS = (1, 2)
MEASURED = (4, 8, 16)
KINDS = {"shrunk": security.SHRINK, "enlarged": 1.5}
FOLDS = 5
DETECTOR_SEED = 100
COVERS, DRAWS = 10, 10_000


def main() -> None:
    """Train, write, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=800, help="of each part, at most")
    parser.add_argument("--features", default="colour", help="of the detectors that the judge is held to")
    parser.add_argument("--keep", action="store_true", help="measure the judge in the box, train none")
    parser.add_argument("--out", type=Path, default=Path("results/judge.json"))
    options = parser.parse_args()
    features(options.features)  # an unknown name fails here
    both = [learning_and_judging(name, options.data_root) for name in ("imagenet", "voc2012")]
    parts = [[ref for part in each for ref in part] for each in zip(*both, strict=True)]
    for part in parts:
        random.Random(0).shuffle(part)  # noqa: S311 - repeatable on purpose
    learned, held_out = (security.covers_of(part, options.covers) for part in parts)
    origin = {"command": shlex.join(["python", *sys.argv]), "commit": commit()}  # before weights are written
    if not options.keep:
        write(*learn(learned))
        origin["learned_from"] = photos.digest(learned)
    values = {
        "what": "judge",
        **origin,
        "judge_sha256": hashlib.sha256(_file().read_bytes()).hexdigest(),
        "held_out": photos.digest(held_out),
        "covers": len(held_out),
        "features": options.features,
        "draws": DRAWS,
        **measured(held_out, options.features),
    }
    if options.features == "colour":  # what the program's table was measured with
        forecast.RISK_FILE.write_text(
            json.dumps({**json.loads(forecast.RISK_FILE.read_text()), "miss": values["miss"]}, indent=2)
            + "\n"
        )
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def learn(refs: list[photos.ImageRef]) -> tuple[F64, float]:
    """(d,) weights and an offset: the mean margin of ensembles, one for each spread and seed.

    In units of the covers: their median is 0, their standard deviation 1.
    """
    work = [(f"judge/{i}", ref, shrink) for i, ref in enumerate(refs) for shrink in SHRINKS]
    values = np.stack(list(security.in_processes(_examples, work, None, batch=4)))
    pairs = [(values[:, 0], values[:, 1 + place], seed) for place in range(len(LEARNED)) for seed in SEEDS]
    found = list(security.in_processes(_folded, pairs, None, batch=1))
    weights: F64 = np.mean([weights for weights, _ in found], axis=0)
    ratings = values[:, 0] @ weights
    return weights / ratings.std(), float(-np.median(ratings) / ratings.std())


def write(weights: F64, offset: float) -> None:
    """The graph, with its contract, and its checksum in the manifest."""
    import onnx
    from onnx import numpy_helper

    node = onnx.helper.make_node("Conv", ["shares", "weights", "offset"], ["margin"])
    value = partial(onnx.helper.make_tensor_value_info, elem_type=onnx.TensorProto.FLOAT)
    tensors = {"weights": weights.reshape(1, -1, 1, 1), "offset": np.array([offset])}
    graph = onnx.helper.make_graph(
        [node],
        MODEL,
        [value("shares", shape=[1, len(weights), "height", "width"])],
        [value("margin", shape=[1, 1, "height", "width"])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in tensors.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    promise = {"contract": "1", "family": judge.FAMILY, "role": judge.FAMILY, "model": MODEL}
    promise |= {"multiple": "1", "halo": "0"}
    onnx.helper.set_model_props(model, {f"stegcli.{key}": text for key, text in promise.items()})
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    _file().parent.mkdir(exist_ok=True)
    _file().write_bytes(content)
    manifest = ROOT / "weights/manifest.toml"
    line = f'judge_sha256 = "{hashlib.sha256(content).hexdigest()}"'
    text, count = re.subn(r'^judge_sha256 = ".*"$', line, manifest.read_text(encoding="utf-8"), flags=re.M)
    if count != 1:
        sys.exit(f"{manifest} has no judge, or several")
    manifest.write_text(text, encoding="utf-8")


def measured(refs: list[photos.ImageRef], feature_set: str) -> dict[str, Any]:
    """A row for each pool of covers, spread and figure; and the chance of a miss."""
    kinds = {kind: _Kind.of(refs, shrink, feature_set) for kind, shrink in KINDS.items()}
    half = np.arange(len(refs)) % 2 == 0
    pools = {
        "shrunk": [(kinds["shrunk"], half | True)],
        "shrunk and enlarged": [(kinds["shrunk"], half), (kinds["enlarged"], ~half)],
    }
    rows = [
        {
            "covers": pool,
            "spread": spread,
            "figure": name,
            "correlation": statistics.rank_correlation(found, detector),
            "among_two_best": _among_two_best(found, detector),
            "detection_error": float(np.mean([kind.error(place, chosen) for kind, chosen in parts])),
        }
        for pool, parts in pools.items()
        for place, spread in enumerate(MEASURED)
        for detector in [np.concatenate([kind.margins[place][chosen] for kind, chosen in parts])]
        for name in kinds["shrunk"].figures
        for found in [np.concatenate([kind.figures[name][chosen, place] for kind, chosen in parts])]
    ]
    shrunk = kinds["shrunk"]
    return {"rows": rows, **_chance(shrunk.figures["judge"], np.stack(shrunk.misses, axis=1), half)}


def _chance(scores: F64, missed: F64, half: NDArray[np.bool_]) -> dict[str, Any]:
    """The curve, and log losses of it and of the table by spread on the other half; (n, spreads) each."""
    offset, slope = _logistic(scores[half].reshape(-1), missed[half].reshape(-1))
    curve = 1 / (1 + np.exp(-offset - slope * scores[~half]))
    table = np.broadcast_to(missed[half].mean(axis=0), curve.shape)
    return {
        "miss": {"offset": offset, "slope": slope},
        "log_loss": {
            "by_score": _log_loss(curve, missed[~half]),
            "by_spread": _log_loss(table, missed[~half]),
        },
    }


def _logistic(values: F64, happened: F64) -> tuple[float, float]:
    """Offset and slope of the likeliest curve, by Newton's method."""
    terms, found = np.stack([np.ones_like(values), values], axis=1), np.zeros(2)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-terms @ found))
        bend = (terms * (chance * (1 - chance))[:, None]).T @ terms + 1e-6 * np.eye(2)
        found += np.linalg.solve(bend, terms.T @ (happened - chance))
    return float(found[0]), float(found[1])


def _log_loss(chance: F64, happened: F64) -> float:
    sure = np.clip(np.where(happened > 0, chance, 1 - chance), 1e-3, 1)
    return float(-np.log(sure).mean())


@dataclass(frozen=True)
class _Kind:
    """Covers of one kind, their stegos, and what detectors of that kind say of these.

    Attributes:
        figures: by name, (n, spreads): what a stego could be chosen by, the less the better.
        margins: for each spread, (n,): how far a detector puts the stego from covers, in their deviations.
        misses: for each spread, (n,): 1 where a detector takes the stego for a cover, else 0.
        alarms: for each spread, (n,): 1 where it takes the cover for a stego, else 0.
    """

    figures: dict[str, F64]
    margins: list[F64]
    misses: list[F64]
    alarms: list[F64]

    def error(self, place: int, chosen: NDArray[np.bool_]) -> float:
        """P_E on some of the covers."""
        return float((self.misses[place][chosen].mean() + self.alarms[place][chosen].mean()) / 2)

    @classmethod
    def of(cls, refs: list[photos.ImageRef], shrink: float, feature_set: str) -> _Kind:
        work = [(f"detector/{i}", ref, shrink) for i, ref in enumerate(refs)]
        pictures = list(security.in_processes(partial(_rated, feature_set), work, None, batch=4))
        ratings, values, exposure, error = (np.stack(each) for each in zip(*pictures, strict=True))
        cover, stegos = ratings[:, :1], ratings[:, 1:]
        figures = {
            "judge": judge.weigh(cover, stegos),
            "judge, the stego alone": stegos,
            "judge, the cover alone": np.repeat(cover, len(MEASURED), axis=1),
            "exposure": exposure,
            "mean squared error": error,
        }
        pairs = [(values[:, 0], values[:, 1 + place]) for place in range(len(MEASURED))]
        found = security.in_processes(_held_out, pairs, None, batch=1)
        margins, misses, alarms = (list(each) for each in zip(*found, strict=True))
        return cls(figures, margins, misses, alarms)


def _examples(item: tuple[str, photos.ImageRef, float]) -> F32:
    """(1 + spreads, d) features of a cover and of its stegos."""
    seed, ref, shrink = item
    cover = security.load_cover(ref, shrink)
    stegos = [_subject(spread).write(cover, f"{seed}/{shrink}")[0] for spread in LEARNED]
    return np.stack([features("colour")(each) for each in (cover, *stegos)])


def _rated(feature_set: str, item: tuple[str, photos.ImageRef, float]) -> tuple[F64, F32, F64, F64]:
    """Of a cover and its stegos: ratings and features; of its stegos: exposures and mean squared errors."""
    seed, ref, shrink = item
    cover = security.load_cover(ref, shrink)
    stegos = [_subject(spread).write(cover, seed)[0] for spread in MEASURED]
    colours = np.stack([features("colour")(each) for each in (cover, *stegos)])
    own = (
        colours if feature_set == "colour" else np.stack([features(feature_set)(e) for e in (cover, *stegos)])
    )
    errors = [np.square(each.astype(np.int16) - cover).mean() for each in stegos]
    return (
        judge.rate(colours).astype(np.float64),
        own,
        np.array([forecast.exposure(cover, each) for each in stegos]),
        np.array(errors),
    )


def _subject(spread: int) -> PhaseSubject:
    return PhaseSubject(spread, f"phase, spread {spread}")


def _folded(item: tuple[F32, F32, int]) -> tuple[F64, float]:
    """Features of covers and of stegos, and a seed -> (d,) weights and an offset."""
    return ensemble.train(*item).folded()


def _held_out(item: tuple[F32, F32]) -> tuple[F64, F64, F64]:
    """(n,) margins of stegos, misses and false alarms, each by the detector that did not see the pair."""
    covers, stegos = item
    fold_of = np.random.default_rng(DETECTOR_SEED).permutation(len(covers)) % FOLDS
    margins, misses, alarms = np.empty((3, len(covers)))
    for fold in range(FOLDS):
        test = fold_of == fold
        detector = ensemble.train(covers[~test], stegos[~test], DETECTOR_SEED + fold)
        known = detector.margins(covers[~test])
        margins[test] = (detector.margins(stegos[test]) - np.median(known)) / known.std()
        misses[test] = detector.scores(stegos[test]) <= 0
        alarms[test] = detector.scores(covers[test]) > 0
    return margins, misses, alarms


def _among_two_best(figure: F64, detector: F64) -> float:
    """Share of draws in which at most one cover is better hidden than the one with the least figure."""
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.choice(len(figure), COVERS, replace=False) for _ in range(DRAWS)])
    chosen = np.take_along_axis(drawn, figure[drawn].argmin(axis=1, keepdims=True), axis=1)
    return float(((detector[drawn] < detector[chosen]).sum(axis=1) <= 1).mean())


def _file() -> Path:
    return ROOT / "weights" / MODEL / "judge.onnx"


if __name__ == "__main__":
    main()
