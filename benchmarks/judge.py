"""Train a judge that `hide --cover-from` ranks covers by, write it, and measure it on other covers.

    python benchmarks/judge.py --data-root DIR [--stegos phase|coded] [--covers N] [--features NAME]

Photographs: every picture of the imagenet and voc2012 sets under --data-root, in two parts: the costs of
`hide` learned from the first alone, and so does the judge. It learns to tell covers from stegos, of the phase
channel at three spreads or with two numbers of coded bits per pixel, for each kind of covers: shrunk by a
quarter, enlarged by a half and, for phases alone since coded bits refuse them, as their JPEG holds them; and
which kind a picture is of. Its graph (weights/judge-v1 or weights/coded-judge-v1) and its checksum in
weights/manifest.toml are written anew, unless --keep.

From the other part detectors of the lab learn, several for each kind and spread, by --features of their own;
each rates the stegos of the fifth of that part that it did not learn from, and what they say on average is
the lab's opinion. Measured is how well the judge, other figures that a stego could be chosen by, and one more
such detector rank stegos as the lab does: Spearman's correlation, and how often the one of ten covers, drawn
at random, that a figure likes best is the lab's best or second best (at random: 0.2). Once among shrunk
covers, once among covers of all kinds in equal parts.

Last, the chance that such a detector misses a stego, by the judge's score of it: a logistic curve for each
amount through one half of the covers of all kinds, measured on the other half against the share that is
missed at that amount. With the judge they go into the program (stegcli/detection/risk.json), for `stegcli
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

from stegcli.codecs.base import Rate
from stegcli.detection import forecast, judge, risk
from stegcli.lab.data import photos
from stegcli.lab.data.covers import learning_and_judging
from stegcli.lab.provenance import command, commit
from stegcli.lab.security import ensemble, evaluate
from stegcli.lab.security.coded_subjects import CodedSubject
from stegcli.lab.security.features import features
from stegcli.lab.security.subjects import PhaseSubject
from stegcli.models.contract import CONTRACT_VERSION
from stegcli.models.contract import JUDGE as ROLE
from stegcli.pictures import luma

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

ROOT = Path(__file__).parent.parent
JUDGE = "judge"
SEEDS = range(1, 13)
"""Seeds of the ensembles that are averaged: their mean ranks better than any one of them."""
KIND_RIDGE = 1e3
"""In units of a standardised feature's variance over one picture. Kinds are easy to distinguish."""
FOLDS = 5
DETECTOR_SEEDS = range(100, 700, 100)
"""Seeds of whole rounds of detectors. The mean of all but the last is the reference; the last one shows how
far a single round is from it."""
COVERS, DRAWS = 10, 10_000
ALL_OF = {2: "of both kinds", 3: "of all three kinds"}
"""By the number of kinds."""


@dataclass(frozen=True)
class Course:
    """What a judge learns, and is measured on.

    Attributes:
        stegos: stegos that it is to rate.
        model: its id.
        kinds: name -> factor by which pictures are resized to covers.
        out: results.
    """

    stegos: judge.Stegos
    model: str
    kinds: dict[str, float]
    out: Path

    @property
    def file(self) -> Path:
        """Its graph."""
        return ROOT / "weights" / self.model / "judge.onnx"

    def write(self, cover: U8, amount: float, seed: str) -> U8:
        """Return a stego with random symbols or bits."""
        if self.stegos is judge.PHASES:
            return PhaseSubject(round(amount), f"phase, spread {amount:g}").write(cover, seed)[0]
        return CodedSubject(f"coded, {amount:g} bit per pixel", Rate(amount)).stego(
            cover, luma.gray(cover), seed
        )


COURSES = {
    "phase": Course(
        judge.PHASES,
        "judge-v1",
        {"shrunk": evaluate.SHRINK, "as its JPEG holds it": 1.0, "enlarged": 1.5},
        Path("results/judge.json"),
    ),
    "coded": Course(
        judge.CODED,
        "coded-judge-v1",
        {"shrunk": evaluate.SHRINK, "enlarged": 1.5},
        Path("results/judge-coded.json"),
    ),
}


def main() -> None:
    """Train the judge, write it, and measure it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--stegos", choices=COURSES, default="phase")
    parser.add_argument("--covers", type=int, default=2_000, help="largest number in each part")
    parser.add_argument("--features", default="colour", help="features of the detectors to compare with")
    parser.add_argument("--keep", action="store_true", help="measure the installed judge, train none")
    options = parser.parse_args()
    course = COURSES[options.stegos]
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
        write(course, *learn(course, learned))
        origin["learned_from"] = photos.digest(learned)
    values = {
        "what": "judge",
        **origin,
        "judge_sha256": hashlib.sha256(course.file.read_bytes()).hexdigest(),
        "held_out": photos.digest(held_out),
        "covers": len(held_out),
        "features": options.features,
        "draws": DRAWS,
        **measured(course, held_out, options.features),
    }
    if options.features == "colour":  # what the program's table was measured with
        table = json.loads(risk.RISK_FILE.read_text())
        (table if course.stegos is judge.PHASES else table["coded"])["miss"] = values["miss"]
        risk.RISK_FILE.write_text(json.dumps(table, indent=2) + "\n")
    course.out.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def learn(course: Course, refs: list[photos.ImageRef]) -> tuple[F64, F64]:
    """Train; return (r, d) weights and (r,) offsets of the ratings that `Judge.rate` returns."""
    examples, amounts = partial(_examples, course), course.stegos.amounts
    pictures = [np.stack(_of_kind(examples, "judge", refs, shrink)) for shrink in course.kinds.values()]
    pairs = [
        (values[:, 0], values[:, 1 + place], seed)
        for values in pictures
        for place in range(len(amounts))
        for seed in SEEDS
    ]
    folded = np.stack(list(evaluate.PROCESSES.map(_folded, pairs)))
    weights = folded.reshape(len(pictures), len(amounts), len(SEEDS), -1).mean(axis=2)
    covers = np.stack([values[:, 0] @ each.T for values, each in zip(pictures, weights, strict=True)], axis=1)
    scale = covers.std(axis=0)  # (kinds, amounts)
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


def write(course: Course, weights: F64, offsets: F64) -> None:
    """Write the graph with its contract, and enter its checksum into the manifest."""
    import onnx
    from onnx import numpy_helper

    node = onnx.helper.make_node("Conv", ["shares", "weights", "offsets"], ["ratings"])
    value = partial(onnx.helper.make_tensor_value_info, elem_type=onnx.TensorProto.FLOAT)
    tensors = {"weights": weights[:, :, None, None], "offsets": offsets}
    graph = onnx.helper.make_graph(
        [node],
        course.model,
        [value("shares", shape=[1, weights.shape[1], "height", "width"])],
        [value("ratings", shape=[1, len(weights), "height", "width"])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in tensors.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    promise = {"contract": CONTRACT_VERSION, "family": course.stegos.family, "role": ROLE}
    promise |= {"model": course.model, "multiple": "1", "halo": "0"}
    onnx.helper.set_model_props(model, {f"stegcli.{key}": text for key, text in promise.items()})
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    course.file.parent.mkdir(exist_ok=True)
    course.file.write_bytes(content)
    manifest = ROOT / "weights/manifest.toml"
    entry = rf'(\n\[models\.{re.escape(course.model)}\]\n(?:[^\[].*\n)*judge_sha256 = )".*"'
    line = rf'\1"{hashlib.sha256(content).hexdigest()}"'
    text, count = re.subn(entry, line, manifest.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"{manifest} has no {course.model}, or several")
    manifest.write_text(text, encoding="utf-8")


def measured(course: Course, refs: list[photos.ImageRef], feature_set: str) -> dict[str, Any]:
    """Return a row for each pool of covers, amount and figure, and the chance of a miss."""
    kinds = {name: _Kind.of(course, refs, shrink, feature_set) for name, shrink in course.kinds.items()}
    turn, everything = np.arange(len(refs)) % len(kinds), np.ones(len(refs), dtype=np.bool_)
    pools = {
        "shrunk": [(kinds["shrunk"], everything)],
        ALL_OF[len(kinds)]: [(kind, turn == own) for own, kind in enumerate(kinds.values())],
    }
    rows = [
        {
            "covers": pool,
            course.stegos.measure: amount,
            "figure": name,
            "correlation": float(spearmanr(found, lab).statistic),
            "among_two_best": _among_two_best(found, lab),
            "detection_error": float(np.mean([kind.error(place, chosen) for kind, chosen in parts])),
        }
        for pool, parts in pools.items()
        for place, amount in enumerate(course.stegos.amounts)
        for lab in [np.concatenate([kind.margins[chosen, place] for kind, chosen in parts])]
        for name in kinds["shrunk"].figures
        for found in [np.concatenate([kind.figures[name][chosen, place] for kind, chosen in parts])]
    ]
    return {"rows": rows, **_chance(course.stegos, list(kinds.values()))}


def _chance(stegos: judge.Stegos, kinds: Sequence[_Kind]) -> dict[str, Any]:
    """Fit curves to half of the covers; return them, and log losses on the other half."""
    scores = np.concatenate([kind.figures[JUDGE] for kind in kinds])
    missed = np.concatenate([kind.misses for kind in kinds])
    half = np.concatenate([np.arange(len(kind.misses)) % 2 == 0 for kind in kinds])
    curves = [_logistic(scores[half, place], missed[half, place]) for place in range(len(stegos.amounts))]
    offsets, slopes = np.array(curves).T
    chance = 1 / (1 + np.exp(-offsets - slopes * scores[~half]))
    shares = np.broadcast_to(missed[half].mean(axis=0), chance.shape)
    return {
        "miss": [
            {stegos.measure: amount, "offset": offset, "slope": slope}
            for amount, (offset, slope) in zip(stegos.amounts, curves, strict=True)
        ],
        "log_loss": {
            "by_score": _log_loss(chance, missed[~half]),
            f"by_{stegos.measure}": _log_loss(shares, missed[~half]),
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
        figures: by name, (n, amounts): figures by which a stego could be chosen, the lower the better.
        margins: (n, amounts): distance of the stego from covers in the detectors' standard deviations.
        misses: (n, amounts): share of the detectors that mistake the stego for a cover.
        alarms: (n, amounts): share of the detectors that mistake the cover for a stego.
    """

    figures: dict[str, F64]
    margins: F64
    misses: F64
    alarms: F64

    def error(self, place: int, chosen: NDArray[np.bool_]) -> float:
        """Return P_E on the chosen covers."""
        return float((self.misses[chosen, place].mean() + self.alarms[chosen, place].mean()) / 2)

    @classmethod
    def of(cls, course: Course, refs: list[photos.ImageRef], shrink: float, feature_set: str) -> _Kind:
        pictures = _of_kind(partial(_rated, course, feature_set), "detector", refs, shrink)
        amounts = course.stegos.amounts
        ratings, values, exposure, error = (np.stack(each) for each in zip(*pictures, strict=True))
        cover, stegos = ratings[:, 0], ratings[:, 1:].swapaxes(0, 1)

        def scores(shown: Sequence[F32]) -> F64:
            picked = [
                course.stegos.pick(cover, one, amount) for amount, one in zip(amounts, shown, strict=True)
            ]
            return np.stack([judge.weigh(*margins) for margins in picked], axis=1)

        figures = {
            JUDGE: scores(stegos),
            "judge, the cover alone": scores([cover] * len(stegos)),
            "exposure": exposure,
            "mean squared error": error,
        }
        work = [
            (values[:, 0], values[:, 1 + place], seed)
            for place in range(len(amounts))
            for seed in DETECTOR_SEEDS
        ]
        found = np.array(list(evaluate.PROCESSES.map(_held_out, work)))
        rounds = found.reshape(len(amounts), len(DETECTOR_SEEDS), 3, len(refs))
        figures["another such detector"] = rounds[:, -1, 0].T
        return cls(figures, *rounds[:, :-1].mean(axis=1).transpose(1, 2, 0))


def _of_kind(
    function: Callable[[Any], Any], seed: str, refs: list[photos.ImageRef], shrink: float
) -> list[Any]:
    """Apply a function to every cover of a kind."""
    work = [(f"{seed}/{shrink}/{number}", ref, shrink) for number, ref in enumerate(refs)]
    return list(evaluate.PROCESSES.map(function, work))


def _examples(course: Course, item: tuple[str, photos.ImageRef, float]) -> F32:
    """Return (1 + amounts, d): features of a cover and of its stegos."""
    return _features("colour", _pictures(course, item))


def _rated(
    course: Course, feature_set: str, item: tuple[str, photos.ImageRef, float]
) -> tuple[F32, F32, F64, F64]:
    """Return ratings and features of cover and stegos, exposures and mean squared errors of the stegos."""
    pictures = _pictures(course, item)
    cover, *stegos = pictures
    colours = _features("colour", pictures)
    return (
        judge.load(course.stegos).rate(colours),
        colours if feature_set == "colour" else _features(feature_set, pictures),
        np.array([forecast.exposure(cover, each) for each in stegos]),
        np.array([np.square(each.astype(np.int16) - cover).mean() for each in stegos]),
    )


def _pictures(course: Course, item: tuple[str, photos.ImageRef, float]) -> list[U8]:
    """Return a cover, and its stego with each amount."""
    seed, ref, shrink = item
    cover = evaluate.load_cover(ref, shrink)
    return [cover, *(course.write(cover, amount, seed) for amount in course.stegos.amounts)]


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


if __name__ == "__main__":
    main()
