"""The data sets of the paper, fetched once into the user's cache: checksum, progress bar, resume.

    lfw       figshare, the mirror that scikit-learn uses       lfw-funneled.tgz, unpacked    0.2 GB
    voc2012   its official archive                              VOCtrainval_11-May-2012.tar   1.9 GB
    imagenet  Hugging Face Hub, gated, the validation set       64 tar files                  6.7 GB

URL and SHA-256 of LFW are those of scikit-learn's `sklearn/datasets/_lfw.py`; it is the funneled copy, for
the mirror has no deep-funneled one. The data set's own page, vis-www.cs.umass.edu/lfw, answers no more
(scikit-learn's pull request 30800); the second source is the one that this request put in its place. VOC
publishes no checksum; the MD5 is that of torchvision's `datasets/voc.py`. The Hub checks its own files; their
revision is not pinned here, because the repository is gated and we could not look one up: run.json's digest
says which pictures were used.
"""

from __future__ import annotations

import logging
import lzma
import os
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stegcli.errors import TrainingError, one_line

CACHE_VARIABLE = "STEGCLI_DATA"
"""Environment variable that moves the cache to another folder."""

ATTEMPTS = 5
"""How often a broken transfer is taken up again before we give up; what has come stays for the next run."""

PAUSE_SECONDS = 2.0

CHUNK = 1 << 14
"""Most bytes per piece."""
TIMEOUT = (20, 60)
"""Seconds to connect, and to wait for the next bytes."""
WINDOW_SECONDS, WINDOW_BYTES = 60.0, 60_000
"""A transfer of which fewer bytes come in so many seconds is broken: a byte a minute would never time out."""

COMPRESSED = (".tgz", ".gz")

Advance = Callable[[int, int], None]
"""Told how many bytes are there, of how many in all (0: not known)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """One file to download."""

    url: str
    checksum: str
    """"sha256:..." or "md5:..."."""
    name: str
    terms: str
    """Where to read about the data set, and to get it by hand."""
    most: int = 4 << 30
    """Bytes that it may have, so that no server fills the disk."""


@dataclass(frozen=True)
class HubFiles:
    """Files of a gated data set repository on the Hugging Face Hub."""

    repository: str
    pattern: str


SOURCES: dict[str, Archive | HubFiles] = {
    "lfw": Archive(
        "https://ndownloader.figshare.com/files/5976015",
        "sha256:b47c8422c8cded889dc5a13418c4bc2abbda121092b3533a83306f90d900100a",
        "lfw-funneled.tgz",
        "https://www.kaggle.com/datasets/jessicali9530/lfw-dataset",
        most=1 << 30,
    ),
    "voc2012": Archive(
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
        "md5:6cd6e144f989b92b3379bac3b3de84fd",
        "VOCtrainval_11-May-2012.tar",
        "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
    ),
    "imagenet": HubFiles("timm/imagenet-1k-wds", "imagenet1k-validation-*.tar"),
}


def cache_folder() -> Path:
    """Where data sets are kept: $STEGCLI_DATA, or the user's cache."""
    import pooch

    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path(pooch.os_cache("stegcli")) / "data"


def fetch(dataset: str) -> Path:
    """The folder that holds a data set of SOURCES, downloaded unless it is there.

    Raises TrainingError, with the cure, when there is no network, no permission, or a wrong checksum.
    """
    source = SOURCES[dataset]
    if isinstance(source, HubFiles):
        return _from_hub(source)
    folder = cache_folder() / dataset
    unpacked = folder / source.name.partition(".")[0]
    if unpacked.is_dir():
        return unpacked
    path = _download(source, folder)
    if path.suffix not in COMPRESSED:
        return folder
    _unpack(path, unpacked)
    path.unlink()
    return unpacked


def unpacked(archive: Path) -> Path:
    """A compressed archive of the user's -> a folder in the cache with its content, unpacked once."""
    status = archive.stat()
    folder = cache_folder() / "unpacked" / f"{archive.name}-{status.st_size}-{status.st_mtime_ns}"
    if not folder.is_dir():
        _unpack(archive, folder)
    return folder


class TooLargeError(Exception):
    """A server sends more than an archive can have."""


class Resuming:
    """A downloader for pooch that goes on where the last transfer broke.

    What has come lies in a `.part` file beside the target until it is whole; pooch checks its sum then.

    Attributes:
        finished: whether all of it came: what goes wrong later is the checksum.
    """

    def __init__(self, part: Path, advance: Advance, most: int) -> None:
        self.part, self.advance, self.most = part, advance, most
        self.finished = False

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:  # noqa: ANN401
        """Fetch `url` into `output_file`; raises the last error after ATTEMPTS without success."""
        import requests
        from urllib3.exceptions import ProtocolError, TimeoutError

        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._continue(url)
                break
            except (requests.ConnectionError, requests.Timeout, ProtocolError, TimeoutError) as error:
                if attempt == ATTEMPTS:
                    raise
                log.warning("the transfer broke (%s); going on", type(error).__name__)
                time.sleep(PAUSE_SECONDS)
        self.part.replace(output_file)
        self.finished = True

    def _continue(self, url: str) -> None:
        """Append what is missing; from the start where the server cannot resume."""
        import requests

        there = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if there and response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # nothing is missing; if it is another file than we began with, the checksum will tell
            response.raise_for_status()
            resumed = response.status_code == requests.codes.partial_content
            there = there if resumed else 0
            total = there + int(response.headers.get("Content-Length", 0))
            with self.part.open("ab" if resumed else "wb") as file:
                for chunk in _pieces(response.raw):
                    file.write(chunk)
                    there += len(chunk)
                    if max(there, total) > self.most:
                        raise TooLargeError
                    self.advance(there, total)


def _pieces(raw: Any) -> Iterator[bytes]:  # noqa: ANN401 - urllib3's response
    """What comes, as it comes; raises requests' Timeout when it merely drips."""
    import requests

    since, in_window = time.monotonic(), 0
    while chunk := raw.read1(CHUNK):
        yield chunk
        in_window += len(chunk)
        if time.monotonic() - since >= WINDOW_SECONDS:
            if in_window < WINDOW_BYTES:
                raise requests.Timeout(f"{in_window} bytes in {WINDOW_SECONDS:g} seconds")
            since, in_window = time.monotonic(), 0


def _download(source: Archive, folder: Path) -> Path:
    """The archive, verified, in `folder`."""
    import pooch

    folder.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")
    log.info("downloading %s (see %s)", source.name, source.terms)
    part = folder / f"{source.name}.part"
    with _bar(source.name) as advance:
        downloader = Resuming(part, advance, source.most)
        try:
            path = pooch.retrieve(source.url, source.checksum, source.name, folder, downloader=downloader)
        except Exception as error:
            raise _not_downloaded(source, folder, downloader, error) from error
    return Path(path)


def _not_downloaded(source: Archive, folder: Path, downloader: Resuming, error: Exception) -> TrainingError:
    """What went wrong and the cure: the server, the network, the disk or the checksum."""
    import requests
    from urllib3.exceptions import HTTPError

    by_hand = f"or get the pictures from {source.terms} and give their folder with --data-root"
    if isinstance(error, TooLargeError):
        downloader.part.unlink(missing_ok=True)
        return TrainingError(
            f"{source.url} sends more than the {source.most >> 20} MiB expected of {source.name}",
            f"run it again later, {by_hand}",
        )
    if isinstance(error, requests.RequestException | HTTPError) or not isinstance(
        error, OSError | ValueError
    ):
        return TrainingError(
            f"cannot download {source.name} from {source.url}: {type(error).__name__}",
            f"check the network and run it again (it resumes), {by_hand}",
        )
    if isinstance(error, OSError):
        return TrainingError(
            f"cannot store {source.name} in {folder}: {error.strerror or error}",
            f"free some space there, or name another folder in {CACHE_VARIABLE}",
        )
    if downloader.finished:
        return TrainingError(
            f"{source.name} from {source.url} has the wrong checksum and was deleted",
            f"run it again, {by_hand}",
        )
    return TrainingError(
        f"cannot download {source.name} from {source.url}: the server's answer makes no sense",
        f"run it again later, {by_hand}",
    )


MOST_MEMBERS, DEEPEST = 1_000_000, 32
GROWTH, SPARE_BYTES = 4, 1 << 30
"""Pictures are compressed already: what they unpack to is about the archive's own size."""

_UNPACKING_ERRORS = (
    *(tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, LookupError, ArithmeticError, RecursionError, MemoryError),
)
"""Whatever tarfile raises on a hostile archive; it promises no base class."""


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into `folder`, which appears whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    log.info("unpacking %s into %s", archive, folder)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
        inside = Path(temporary) / "content"
        inside.mkdir()
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(
                    inside, _wanted(tar, GROWTH * archive.stat().st_size + SPARE_BYTES), filter="data"
                )
        except _UNPACKING_ERRORS as error:
            raise TrainingError(
                f"{archive} cannot be unpacked: {one_line(error)}",
                f"fetch it again, free space in {folder.parent}, or name another folder in {CACHE_VARIABLE}",
            ) from error
        inside.replace(folder)


def _wanted(tar: tarfile.TarFile, most_bytes: int) -> Iterator[tarfile.TarInfo]:
    """The regular files of an archive; folders come with them, links and devices are no pictures.

    Raises:
        ValueError: it would fill the disk, or nest folders deeper than any data set.
    """
    left = most_bytes
    for number, member in enumerate(tar):
        left -= max(0, member.size)
        if number >= MOST_MEMBERS or left < 0:
            raise ValueError(f"it holds more than {MOST_MEMBERS:,} files or {most_bytes >> 20} MiB")
        if member.name.count("/") > DEEPEST:
            raise ValueError(f"its folders are nested more than {DEEPEST} deep")
        if member.isfile():
            yield member


def _from_hub(source: HubFiles) -> Path:
    """The repository's folder in the cache of huggingface-hub, which resumes and checks on its own."""
    from huggingface_hub.errors import GatedRepoError

    page = f"https://huggingface.co/datasets/{source.repository}"
    try:
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(source.repository, repo_type="dataset", allow_patterns=[source.pattern])
        )
    except GatedRepoError as error:
        raise TrainingError(
            f"{source.repository} is gated, and the Hub does not let you read it yet",
            f"accept the terms at {page}, then set HF_TOKEN to a token with read access "
            "(https://huggingface.co/settings/tokens), or run `hf auth login`",
        ) from error
    except Exception as error:  # whatever its HTTP client raises, which is another from release to release
        raise TrainingError(
            f"cannot download {source.repository}: {type(error).__name__}: {one_line(error)}",
            f"check the network, its proxy and that HF_TOKEN is set (terms: {page}); or give --data-root "
            "with ILSVRC2012_img_val.tar",
        ) from error


@contextmanager
def _bar(name: str) -> Iterator[Advance]:
    """A progress bar on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda there, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda there, total: bar.update(task, completed=there, total=total or None)
