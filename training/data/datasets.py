"""Find training pictures on this machine (`stegcli.lab.data.photos`), or download them."""

from __future__ import annotations

import tarfile
from pathlib import Path

from stegcli.errors import TrainingError, UsageError, one_line
from stegcli.lab.data import photos
from stegcli.lab.data.photos import KNOWN, ImageRef, digest, split
from stegcli.training.data import downloads

__all__ = ["KNOWN", "ImageRef", "digest", "find", "split", "splits"]


def find(dataset: str, data_root: Path | None) -> list[ImageRef]:
    """Return all pictures of "lfw", "voc2012", "imagenet" or "folder:PATH", sorted by key.

    A known data set that is not in `data_root` (None: the current folder) is downloaded into the cache. A
    relative PATH is sought in the current folder, then in `data_root`.
    """
    try:
        return photos.find(_placed(dataset, data_root), _root(dataset, data_root))
    except UsageError as error:
        raise TrainingError(error.message, error.hint) from error
    except (OSError, tarfile.TarError, ValueError, LookupError, MemoryError) as error:
        raise TrainingError(
            f"{dataset} cannot be read: {one_line(error)}", "fetch it again, or give another --data-root"
        ) from error


def _placed(dataset: str, data_root: Path | None) -> str:
    """Return a folder's name with its location; other names unchanged."""
    kind, _, name = dataset.partition(":")
    if kind != "folder" or data_root is None or Path(name).is_dir() or not (data_root / name).is_dir():
        return dataset
    return f"{kind}:{data_root / name}"


def _root(dataset: str, data_root: Path | None) -> Path | None:
    """Return where a data set is: where the user says, else unpacked or downloaded into the cache."""
    if dataset not in KNOWN:
        return data_root
    if data_root is not None and not data_root.is_dir():
        raise TrainingError(f"{data_root} is not a folder", "give --data-root a folder with data sets")
    places = photos.located(dataset, data_root or Path())
    if not places:
        return downloads.fetch(dataset)
    if places[0].suffix in downloads.COMPRESSED:
        return downloads.unpacked(places[0])
    return data_root


def splits(dataset: str, data_root: Path | None) -> tuple[list[ImageRef], list[ImageRef]]:
    """Return (training, held-out) pictures of a data set under the project's protocol."""
    refs = find(dataset, data_root)
    return split(refs, photos.HELD_OUT, photos.SPLIT_SEED, by_person=dataset == "lfw")
