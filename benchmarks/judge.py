"""Train the judge that `hide --cover-from` ranks covers by, write it, and measure it on other covers.

    python benchmarks/judge.py --data-root DIR [--covers N] [--features NAME] [--out results/judge.json]

Photographs: every picture of the imagenet and voc2012 sets under --data-root, in two parts: the costs of
`hide` learned from the first alone, and so does the judge. It learns to tell covers from stegos of the phase
channel at three spreads, for each of three kinds of covers: shrunk by a quarter, as their JPEG holds them,
and enlarged by a half; and which kind a picture is of. weights/judge-v1/judge.onnx and its checksum in
weights/manifest.toml are written anew, unless --keep.

From the other part detectors of the lab learn, several for each kind and spread, by --features of their own;
each rates the stegos of the fifth of that part that it did not learn from, and what they say on average is
the lab's opinion. Measured is how well the judge, other figures that a stego could be chosen by, and one more
such detector rank stegos as the lab does: Spearman's correlation, and how often the one of ten covers, drawn
at random, that a figure likes best is the lab's best or second best (at random: 0.2). Once among shrunk
covers, once among covers of all three kinds, a third each.

Last, the chance that such a detector misses a stego, by the judge's score of it: a logistic curve for each
spread through one half of the covers of all kinds, measured on the other half against the share that is
missed at that spread. With the judge they go into the program (stegcli/detection/risk.json), for `stegcli
check`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from stegcli.detection import forecast, judge, risk
from stegcli.lab.data import photos
from stegcli.lab.data.covers import learning_and_judging
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import ensemble, evaluate
from stegcli.lab.security.features import features
from stegcli.lab.security.subjects import PhaseSubject

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
MODEL = "judge-v1"
JUDGE = "judge"
KINDS = {"shrunk": evaluate.SHRINK, "as its JPEG holds it": 1.0, "enlarged": 1.5}
SEEDS = range(1, 13)
"""Seeds of the ensembles that are averaged: their mean ranks better than any one of them."""
KIND_RIDGE = 1e3
"""In units of a standardised feature's variance over one picture. Kinds are easy to distinguish."""
FOLDS = 5
DETECTOR_SEEDS = range(100, 700, 100)
"""Seeds of whole rounds of detectors. The mean of all but the last is the reference; the last one shows how
far a single round is from it."""
COVERS, DRAWS = 10, 10_000


def main() -> None:
    """Train the judge, write it, and measure it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--covers", type=int, default=2_000, help="largest number in each part")
    parser.add_argument("--features", default="colour", help="features of the detectors to compare with")
    parser.add_argument("--keep", action="store_true", help="measure the installed judge, train none")
    parser.add_argument("--out", type=Path, default=Path("results/judge.json"))
    options = parser.parse_args()
    features(options.features)  # an unknown name fails here
    both = [learning_and_judging(name, options.data_root) for name in ("imagenet", "voc2012")]
    parts = [[ref for part in each for ref in part] for each in zip(*both, strict=True)]
    for part in parts:
        random.Random(0).shuffle(part)  # noqa: S311 - repeatable on purpose
    learned, held_out = (evaluate.covers_of(part, options.covers) for part in parts)
    origin = {
        "command": command("python", "benchmarks/judge.py"),
        "commit": commit(),
    }  # before weights are written
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
        risk.RISK_FILE.write_text(
            json.dumps({**json.loads(risk.RISK_FILE.read_text()), "miss": values["miss"]}, indent=2) + "\n"
        )
    options.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def learn(refs: list[photos.ImageRef]) -> tuple[F64, F64]:
    """Train; return (r, d) weights and (r,) offsets of the ratings that `judge.rate` returns."""
    pictures = [np.stack(_of_kind(_examples, "judge", refs, shrink)) for shrink in KINDS.values()]
    pairs = [
        (values[:, 0], values[:, 1 + place], seed)
        for values in pictures
        for place in range(len(judge.SPREADS))
        for seed in SEEDS
    ]
    folded = np.stack(list(evaluate.PROCESSES.map(_folded, pairs)))
    weights = folded.reshape(len(KINDS), len(judge.SPREADS), len(SEEDS), -1).mean(axis=2)
    covers = np.stack([values[:, 0] @ each.T for values, each in zip(pictures, weights, strict=True)], axis=1)
    scale = covers.std(axis=0)  # (kinds, spreads)
    offsets = -np.median(covers, axis=0) / scale
    kind_weights, kind_offsets = _likeness(pictures)
    return (
        np.concatenate([(weights / scale[..., None]).reshape(offsets.size, -1), kind_weights]),
        np.concatenate([offsets.reshape(-1), kind_offsets]),
    )


def _likeness(pictures: Sequence[F32]) -> tuple[F64, F64]:
    """Return (kinds, d) weights and (kinds,) offsets: a ridge regression that recognises the kind."""
    values = np.concatenate([each.reshape(-1, each.shape[-1]) for each in pictures]).astype(np.float64)
    kinds = np.repeat(np.eye(len(pictures)), [each.shape[0] * each.shape[1] for each in pictures], axis=0)
    centre, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1
    values = (values - centre) / scale
    inner = values.T @ values
    inner[np.diag_indices_from(inner)] += KIND_RIDGE
    weights = np.linalg.solve(inner, values.T @ (kinds - kinds.mean(axis=0))).T / scale
    return weights, -weights @ centre


def write(weights: F64, offsets: F64) -> None:
    """Write the graph with its contract, and enter its checksum into the manifest."""
    import onnx
    from onnx import numpy_helper

    node = onnx.helper.make_node("Conv", ["shares", "weights", "offsets"], ["ratings"])
    value = partial(onnx.helper.make_tensor_value_info, elem_type=onnx.TensorProto.FLOAT)
    tensors = {"weights": weights[:, :, None, None], "offsets": offsets}
    graph = onnx.helper.make_graph(
        [node],
        MODEL,
        [value("shares", shape=[1, weights.shape[1], "height", "width"])],
        [value("ratings", shape=[1, len(weights), "height", "width"])],
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
    """Return a row for each pool of covers, spread and figure, and the chance of a miss."""
    kinds = {name: _Kind.of(refs, shrink, feature_set) for name, shrink in KINDS.items()}
    turn, everything = np.arange(len(refs)) % len(KINDS), np.ones(len(refs), dtype=np.bool_)
    pools = {
        "shrunk": [(kinds["shrunk"], everything)],
        "of all three kinds": [(kind, turn == own) for own, kind in enumerate(kinds.values())],
    }
    rows = [
        {
            "covers": pool,
            "spread": spread,
            "figure": name,
            "correlation": float(spearmanr(found, lab).statistic),
            "among_two_best": _among_two_best(found, lab),
            "detection_error": float(np.mean([kind.error(place, chosen) for kind, chosen in parts])),
        }
        for pool, parts in pools.items()
        for place, spread in enumerate(judge.SPREADS)
        for lab in [np.concatenate([kind.margins[chosen, place] for kind, chosen in parts])]
        for name in kinds["shrunk"].figures
        for found in [np.concatenate([kind.figures[name][chosen, place] for kind, chosen in parts])]
    ]
    return {"rows": rows, **_chance(list(kinds.values()))}


def _chance(kinds: Sequence[_Kind]) -> dict[str, Any]:
    """Fit curves to half of the covers; return them, and log losses on the other half."""
    scores = np.concatenate([kind.figures[JUDGE] for kind in kinds])
    missed = np.concatenate([kind.misses for kind in kinds])
    half = np.concatenate([np.arange(len(kind.misses)) % 2 == 0 for kind in kinds])
    curves = [_logistic(scores[half, place], missed[half, place]) for place in range(len(judge.SPREADS))]
    offsets, slopes = np.array(curves).T
    chance = 1 / (1 + np.exp(-offsets - slopes * scores[~half]))
    shares = np.broadcast_to(missed[half].mean(axis=0), chance.shape)
    return {
        "miss": [
            {"spread": spread, "offset": offset, "slope": slope}
            for spread, (offset, slope) in zip(judge.SPREADS, curves, strict=True)
        ],
        "log_loss": {
            "by_score": _log_loss(chance, missed[~half]),
            "by_spread": _log_loss(shares, missed[~half]),
        },
    }


def _logistic(values: F64, happened: F64) -> tuple[float, float]:
    """Return offset and slope of the likeliest logistic curve for outcomes in 0..1, by Newton's method."""
    terms, found = np.stack([np.ones_like(values), values], axis=1), np.zeros(2)
    for _ in range(30):
        chance = 1 / (1 + np.exp(-terms @ found))
        bend = (terms * (chance * (1 - chance))[:, None]).T @ terms + 1e-6 * np.eye(2)
        found += np.linalg.solve(bend, terms.T @ (happened - chance))
    return float(found[0]), float(found[1])


def _log_loss(chance: F64, happened: F64) -> float:
    """Return the mean log loss of chances, given outcomes that are shares of cases, 0..1."""
    sure = np.clip(chance, 1e-3, 1 - 1e-3)
    return float(-(happened * np.log(sure) + (1 - happened) * np.log(1 - sure)).mean())


@dataclass(frozen=True)
class _Kind:
    """Covers of one kind, their stegos, and the verdicts of detectors of that kind.

    Attributes:
        figures: by name, (n, spreads): figures by which a stego could be chosen, the lower the better.
        margins: (n, spreads): distance of the stego from covers in the detectors' standard deviations.
        misses: (n, spreads): share of the detectors that mistake the stego for a cover.
        alarms: (n, spreads): share of the detectors that mistake the cover for a stego.
    """

    figures: dict[str, F64]
    margins: F64
    misses: F64
    alarms: F64

    def error(self, place: int, chosen: NDArray[np.bool_]) -> float:
        """Return P_E on the chosen covers."""
        return float((self.misses[chosen, place].mean() + self.alarms[chosen, place].mean()) / 2)

    @classmethod
    def of(cls, refs: list[photos.ImageRef], shrink: float, feature_set: str) -> _Kind:
        pictures = _of_kind(partial(_rated, feature_set), "detector", refs, shrink)
        ratings, values, exposure, error = (np.stack(each) for each in zip(*pictures, strict=True))
        cover, stegos = ratings[:, 0], ratings[:, 1:].swapaxes(0, 1)

        def scores(shown: Sequence[F32]) -> F64:
            each = zip(judge.SPREADS, shown, strict=True)
            return np.stack([judge.weigh(*judge.pick(cover, one, spread)) for spread, one in each], axis=1)

        figures = {
            JUDGE: scores(stegos),
            "judge, the cover alone": scores([cover] * len(stegos)),
            "exposure": exposure,
            "mean squared error": error,
        }
        work = [
            (values[:, 0], values[:, 1 + place], seed)
            for place in range(len(judge.SPREADS))
            for seed in DETECTOR_SEEDS
        ]
        found = np.array(list(evaluate.PROCESSES.map(_held_out, work)))
        rounds = found.reshape(len(judge.SPREADS), len(DETECTOR_SEEDS), 3, len(refs))
        figures["another such detector"] = rounds[:, -1, 0].T
        return cls(figures, *rounds[:, :-1].mean(axis=1).transpose(1, 2, 0))


def _of_kind(
    function: Callable[[Any], Any], seed: str, refs: list[photos.ImageRef], shrink: float
) -> list[Any]:
    """Apply a function to every cover of a kind."""
    work = [(f"{seed}/{shrink}/{number}", ref, shrink) for number, ref in enumerate(refs)]
    return list(evaluate.PROCESSES.map(function, work))


def _examples(item: tuple[str, photos.ImageRef, float]) -> F32:
    """Return (1 + spreads, d): features of a cover and of its stegos."""
    return _features("colour", _pictures(item))


def _rated(feature_set: str, item: tuple[str, photos.ImageRef, float]) -> tuple[F32, F32, F64, F64]:
    """Return ratings and features of cover and stegos, exposures and mean squared errors of the stegos."""
    pictures = _pictures(item)
    cover, *stegos = pictures
    colours = _features("colour", pictures)
    return (
        judge.rate(colours, judge.load()),
        colours if feature_set == "colour" else _features(feature_set, pictures),
        np.array([forecast.exposure(cover, each) for each in stegos]),
        np.array([np.square(each.astype(np.int16) - cover).mean() for each in stegos]),
    )


def _pictures(item: tuple[str, photos.ImageRef, float]) -> list[U8]:
    """Return a cover, and its stego at each spread."""
    seed, ref, shrink = item
    cover = evaluate.load_cover(ref, shrink)
    subjects = [PhaseSubject(spread, f"phase, spread {spread}") for spread in judge.SPREADS]
    return [cover, *(subject.write(cover, seed)[0] for subject in subjects)]


def _features(name: str, pictures: Sequence[U8]) -> F32:
    return np.stack([features(name)(each) for each in pictures])


def _folded(item: tuple[F32, F32, int]) -> F64:
    """Features of covers and of stegos, and a seed -> (d,) weights of the mean margin."""
    return ensemble.train(*item).folded()[0]


def _held_out(item: tuple[F32, F32, int]) -> tuple[F64, F64, F64]:
    """Return (n,) margins of stegos, misses and false alarms, by the detector that did not see the pair."""
    covers, stegos, seed = item
    fold_of = np.random.default_rng(seed).permutation(len(covers)) % FOLDS
    margins, misses, alarms = np.empty((3, len(covers)))
    for fold in range(FOLDS):
        test = fold_of == fold
        detector = ensemble.train(covers[~test], stegos[~test], seed + fold)
        known = detector.margins(covers[~test])
        margins[test] = (detector.margins(stegos[test]) - np.median(known)) / known.std()
        misses[test] = detector.scores(stegos[test]) <= 0
        alarms[test] = detector.scores(covers[test]) > 0
    return margins, misses, alarms


def _among_two_best(figure: F64, detector: F64) -> float:
    """Return the share of draws in which at most one cover hides better than that with the least figure."""
    rng = np.random.default_rng(0)
    drawn = np.stack([rng.choice(len(figure), COVERS, replace=False) for _ in range(DRAWS)])
    chosen = np.take_along_axis(drawn, figure[drawn].argmin(axis=1, keepdims=True), axis=1)
    return float(((detector[drawn] < detector[chosen]).sum(axis=1) <= 1).mean())


def _file() -> Path:
    return ROOT / "weights" / MODEL / "judge.onnx"


if __name__ == "__main__":
    main()
