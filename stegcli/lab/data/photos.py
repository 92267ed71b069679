"""Find photographs in folders and data sets, split them by name, and crop squares; for training and the lab.

A picture is an `ImageRef`: a key (its path inside the data set) and the location of its bytes, so that the
same code reads a folder, or an archive without unpacking it.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import random
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from stegcli.errors import UsageError, one_line
from stegcli.pictures.files import DECODER_ERRORS

__all__ = [
    "KNOWN",
    "SIDE",
    "ImageRef",
    "centre_square",
    "decodable",
    "digest",
    "find",
    "lfw_square",
    "located",
    "split",
    "splits",
    "square",
]

_LOG = logging.getLogger(__name__)

SIDE = 256
"""Side in pixels of the squares on which models are trained and judged."""

HELD_OUT = 0.1
"""Share of a data set that no training step sees: a tenth of LFW's people, of other sets' pictures."""

SPLIT_SEED = 2026
"""Part of the protocol and not of a run: every model of the project is judged on the same pictures."""

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
KNOWN = ("lfw", "voc2012", "imagenet")
ARCHIVES = {
    "lfw": ("lfw-*.tar", "lfw*.tgz", "lfw*.tar.gz"),
    "voc2012": ("voc2012*.tar", "VOCtrainval_11-May-2012.tar"),
    "imagenet": ("imagenet*.tar", "ILSVRC2012_img_val*.tar"),
}
"""Names of archives under --data-root that contain a data set; below, names of folders."""
FOLDERS = {
    "lfw": ("lfw-deepfunneled", "lfw_funneled", "lfw"),
    "voc2012": ("VOCdevkit/VOC2012/JPEGImages", "voc2012"),
    "imagenet": ("imagenet", "ILSVRC2012_img_val"),
}


@dataclass(frozen=True)
class ImageRef:
    """One encoded picture: `size` bytes at `offset` of `path`; `size` -1 means the whole file."""

    key: str
    path: str
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        """The encoded bytes."""
        with open(self.path, "rb") as file:  # noqa: PTH123 - called 10,000 times; Path costs more than that
            file.seek(self.offset)
            return file.read(self.size)

    def open(self) -> Image.Image:
        """Open the picture lazily with Pillow; raises OSError or PIL's errors if it is corrupt."""
        return Image.open(io.BytesIO(self.read()))


def decodable(refs: Iterable[ImageRef], min_size: tuple[float, float] = (0, 0)) -> Iterator[ImageRef]:
    """Yield pictures that can be decoded to their last row; others are logged and left out.

    Args:
        refs: the pictures.
        min_size: (shorter, longer) side below which a picture is left out, too.
    """
    for ref in refs:
        try:
            with ref.open() as image:
                is_large = min(image.size) >= min_size[0] and max(image.size) >= min_size[1]
                if is_large:
                    image.draft("L", (1, 1))  # for a JPEG, an eighth of the work on the same bytes
                    image.load()
        except DECODER_ERRORS as error:
            _LOG.warning("%s cannot be decoded and is left out (%s)", ref.key, one_line(error))
            continue
        if is_large:
            yield ref


def find(dataset: str, data_root: Path | None) -> list[ImageRef]:
    """Return all pictures of "lfw", "voc2012", "imagenet" or "folder:PATH", sorted by key.

    Raises:
        UsageError: there is no such data set, or it is not where it should be.
    """
    if dataset.startswith("folder:"):
        return _from_folder(Path(dataset.removeprefix("folder:")))
    if dataset not in KNOWN:
        raise UsageError(f"no data set {dataset}", hint=f"give one of {', '.join(KNOWN)}, or folder:PATH")
    root = data_root or Path()
    places = located(dataset, root)
    if not places:
        raise UsageError(
            f"{dataset} is not in {root.resolve()}",
            hint=f"give a --data-root with {ARCHIVES[dataset][0]} or a folder {FOLDERS[dataset][0]}",
        )
    if places[0].is_dir():
        return _from_folder(places[0])
    return sorted((ref for path in places for ref in _from_tar(path)), key=lambda ref: ref.key)


def located(dataset: str, root: Path) -> list[Path]:
    """Return the folder or archives below `root` that contain one of KNOWN; empty if it is not there."""
    folders = [root / name for name in FOLDERS[dataset] if (root / name).is_dir()]
    if folders:
        return folders[:1]
    return sorted({path for pattern in ARCHIVES[dataset] for path in root.glob(pattern)})


def split(
    refs: Sequence[ImageRef], held_out: float, seed: int, *, by_person: bool = False
) -> tuple[list[ImageRef], list[ImageRef]]:
    """Return (training, held-out) by a seeded shuffle of names; `by_person` keeps folders together (LFW)."""

    def unit(ref: ImageRef) -> str:
        return ref.key.split("/")[-2] if by_person and "/" in ref.key else ref.key

    units = sorted({unit(ref) for ref in refs})
    random.Random(seed).shuffle(units)  # noqa: S311 - repeatable on purpose
    kept_back = set(units[: round(len(units) * held_out)])
    train = [ref for ref in refs if unit(ref) not in kept_back]
    test = [ref for ref in refs if unit(ref) in kept_back]
    random.Random(seed + 1).shuffle(test)  # noqa: S311
    return train, test


def splits(dataset: str, data_root: Path | None) -> tuple[list[ImageRef], list[ImageRef]]:
    """Return the (training, held-out) pictures of a data set under the project's protocol."""
    return split(find(dataset, data_root), HELD_OUT, SPLIT_SEED, by_person=dataset == "lfw")


def digest(refs: Sequence[ImageRef]) -> str:
    """Return the SHA-256 over the sorted keys, which records in run.json the pictures that were used."""
    return hashlib.sha256("\n".join(sorted(ref.key for ref in refs)).encode()).hexdigest()


def lfw_square(image: Image.Image) -> Image.Image:
    """Return the central 200x200 of a deep-funneled face, as 256x256: alignment left black wedges outside."""
    left, top = (image.width - 200) // 2, (image.height - 200) // 2
    return image.crop((left, top, left + 200, top + 200)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def centre_square(image: Image.Image) -> Image.Image:
    """Return the central square, resized to 256x256 if it has another size."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square if side == SIDE else square.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def square(dataset: str, image: Image.Image) -> Image.Image:
    """Return the 256x256 square that represents a picture of this data set in every published figure."""
    return lfw_square(image) if dataset == "lfw" else centre_square(image)


def _from_folder(folder: Path) -> list[ImageRef]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="give a folder with pictures as folder:PATH")
    refs = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if path.suffix.lower() in SUFFIXES:
                refs.append(ImageRef(path.relative_to(folder.parent).as_posix(), str(path)))
    return sorted(refs, key=lambda ref: ref.key)


def _from_tar(path: Path) -> list[ImageRef]:
    if path.suffix in {".tgz", ".gz"}:
        raise UsageError(f"{path} is compressed", hint=f"unpack it first: tar xf {path}")
    with tarfile.open(path, "r:") as archive:
        refs = [
            ImageRef(member.name, str(path), member.offset_data, member.size)
            for member in archive
            if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
        ]
    photographs = [ref for ref in refs if "/JPEGImages/" in ref.key]  # VOC's archive contains masks, too
    return photographs or refs
