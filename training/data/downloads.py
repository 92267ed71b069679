"""Download the paper's data sets once into the user's cache, with checksum, progress bar and resuming.

    lfw       figshare, the mirror that scikit-learn uses       lfw-funneled.tgz, unpacked    0.2 GB
    voc2012   its official archive                              VOCtrainval_11-May-2012.tar   1.9 GB
    imagenet  Hugging Face Hub, gated, the validation set       64 tar files                  6.7 GB

URL and SHA-256 of LFW are those in scikit-learn's `sklearn/datasets/_lfw.py`; it is the funneled copy, since
the mirror has no deep-funneled one. The data set's own page, vis-www.cs.umass.edu/lfw, no longer responds
(scikit-learn's pull request 30800); the second source is the one that this request introduced. VOC
publishes no checksum; the MD5 is that in torchvision's `datasets/voc.py`. The Hub verifies its own files;
their revision is not pinned, because the repository is gated and we could not look one up: the digest in
run.json records which pictures were used.
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
"""Environment variable that names another folder for the cache."""

ATTEMPTS = 5
"""How often a broken transfer is resumed before giving up; what has arrived is kept for the next run."""

PAUSE_SECONDS = 2.0

CHUNK = 1 << 14
"""Largest number of bytes per piece."""
TIMEOUT = (20, 60)
"""Seconds to connect, and to wait for further bytes."""
WINDOW_SECONDS, WINDOW_BYTES = 60.0, 60_000
"""A transfer with fewer bytes in this many seconds is broken: one byte a minute would never time out."""

COMPRESSED = (".tgz", ".gz")

Advance = Callable[[int, int], None]
"""Called with the number of bytes so far, and in all (0: unknown)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A file to download."""

    url: str
    checksum: str
    """"sha256:..." or "md5:..."."""
    name: str
    terms: str
    """Where to read about the data set, and to download it by hand."""
    most: int = 4 << 30
    """Largest number of bytes, so that no server fills the disk."""


@dataclass(frozen=True)
class HubFiles:
    """Files in a gated data set repository on the Hugging Face Hub."""

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
    """Return the folder for data sets: $STEGCLI_DATA, or the user's cache."""
    import pooch

    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path(pooch.os_cache("stegcli")) / "data"


def fetch(dataset: str) -> Path:
    """Return the folder with a data set of SOURCES, downloading it if necessary.

    Raises TrainingError, with the cure, if there is no network, no permission, or a wrong checksum.
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
    """Unpack a user's compressed archive once into the cache, and return the folder."""
    status = archive.stat()
    folder = cache_folder() / "unpacked" / f"{archive.name}-{status.st_size}-{status.st_mtime_ns}"
    if not folder.is_dir():
        _unpack(archive, folder)
    return folder


class TooLargeError(Exception):
    """A server sends more than an archive may have."""


class Resuming:
    """A downloader for pooch that resumes a broken transfer.

    What has arrived is kept in a `.part` file beside the target until it is complete; then pooch verifies it.

    Attributes:
        finished: whether everything arrived, so that any later failure concerns the checksum.
    """

    def __init__(self, part: Path, advance: Advance, most: int) -> None:
        self.part, self.advance, self.most = part, advance, most
        self.finished = False

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:  # noqa: ANN401
        """Fetch `url` into `output_file`; raises the last error after ATTEMPTS failures."""
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
        """Append what is missing; start over if the server cannot resume."""
        import requests

        there = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={there}-"} if there else {})}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if there and response.status_code == requests.codes.requested_range_not_satisfiable:
                return  # nothing is missing; if the file has changed meanwhile, the checksum will tell
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
    """Yield data as it arrives; raises requests' Timeout if it merely trickles."""
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
    """Return the verified archive in `folder`."""
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
    """Return an error with the cause and the cure: the server, the network, the disk or the checksum."""
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
"""Pictures are already compressed, so that an archive unpacks to about its own size."""

_UNPACKING_ERRORS = (
    *(tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, LookupError, ArithmeticError, RecursionError, MemoryError),
)
"""Everything that tarfile may raise on a hostile archive; it promises no base class."""


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
    """Yield the regular files of an archive; folders are created with them, links and devices are skipped.

    Raises:
        ValueError: it would fill the disk, or nests folders more deeply than any data set.
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
    """Return the repository's folder in the cache of huggingface-hub, which resumes and verifies itself."""
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
    except Exception as error:  # whatever the HTTP client raises, which differs between releases
        raise TrainingError(
            f"cannot download {source.repository}: {type(error).__name__}: {one_line(error)}",
            f"check the network, its proxy and that HF_TOKEN is set (terms: {page}); or give --data-root "
            "with ILSVRC2012_img_val.tar",
        ) from error


@contextmanager
def _bar(name: str) -> Iterator[Advance]:
    """Show a progress bar on stderr if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda there, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda there, total: bar.update(task, completed=there, total=total or None)
