"""Write files: whole or not at all, and under their name only once they are complete.

A draft has no name where the system supports that (`O_TMPFILE`), so that not even a killed process leaves
one; elsewhere it lies beside its target, readable only by its owner. It takes the target's name in a single
step, which fails if another process was faster.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from stegcli.errors import OutputError, one_line

__all__ = ["Draft", "check_place", "explained", "refuse_existing", "replacing"]

PathLike = str | os.PathLike[str]

_UNNAMED: Final = getattr(os, "O_TMPFILE", 0)
_NO_UNNAMED: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS})
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})
_NO_SYNC: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_PERMISSIONS: Final = _NO_SYNC | {errno.EPERM}
"""Errors from file systems and shares that lack one or the other feature: no fault of the file."""

_PERMISSIONS: Final = 0o777
_NEW_FILE: Final = 0o666
_MOUNTS: Final = Path("/proc/self/mountinfo")
_MOUNT_POINT: Final = 4
_UMASK: Final = re.compile(r"^Umask:\s*([0-7]+)$", re.MULTILINE)
_umask_lock = threading.Lock()


@dataclass(frozen=True)
class Draft:
    """A file that is being written.

    Attributes:
        file: open for reading and writing, at its start.
        path: opens the same file as long as `file` is open; not meaningful to a user.
    """

    file: IO[bytes]
    path: Path


@contextmanager
def replacing(path: PathLike, force: bool) -> Iterator[Draft]:
    """Yield a draft that becomes `path` if the block succeeds, and is removed if it fails.

    A link is followed: the file that it names is replaced and, with `force`, keeps its permissions.

    Raises:
        OutputError: `path` exists without `force`, is not a regular file, or cannot be written.
    """
    target = Path(path)
    with explained(target):
        refuse_existing(target, force)
        place = _followed(target)
        draft, named = _new_draft(place)
    try:
        with _closing(draft.file):
            yield draft
            with explained(target):
                refuse_existing(target, force)
                _settle_permissions(draft.file, place, named)
                _sync(draft.file)
                if not named:
                    _publish_unnamed(draft, place, force)
        if named:
            with explained(target):
                _publish_named(draft.path, place, force)
    finally:
        if named:
            draft.path.unlink(missing_ok=True)


def check_place(path: PathLike, force: bool, inputs: Sequence[PathLike] = ()) -> None:
    """Raise an OutputError now if `replacing` could not write there later; leaves nothing behind."""
    target = Path(path)
    with explained(target):
        refuse_existing(target, force, inputs)
        place = _followed(target)
        _refuse_long_name(target, place)
        draft, named = _new_draft(place)
        try:
            draft.file.close()
        finally:
            if named:
                draft.path.unlink(missing_ok=True)


def refuse_existing(target: Path, force: bool, inputs: Sequence[PathLike] = ()) -> None:
    """Raise an OutputError if a file of that name exists that must not, or cannot, be replaced."""
    try:
        target.lstat()
    except FileNotFoundError:
        return
    if target.is_dir():
        raise OutputError(f"{target}: a folder of that name is in the way", "Give a file name with -o.")
    if any(_is_same_file(target, Path(path)) for path in inputs):
        raise OutputError(f"{target}: this would replace an input", "Give another name with -o.")
    if target.exists() and not target.is_file():
        raise OutputError(
            f"{target}: a pipe, a socket or a device, not a file", "Give the name of a file with -o."
        )
    if not force:
        raise OutputError(
            f"{target}: exists already", "Give another name with -o, or replace it with --force."
        )
    if _is_mount_point(target):
        raise OutputError(
            f"{target}: is a mount point and cannot be replaced",
            "Give another name with -o, or write to the place that is mounted there.",
        )


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn an OSError into an OutputError about `target`."""
    try:
        yield
    except OSError as error:
        raise _output_error(target, error) from error


# --- the draft -


def _new_draft(place: Path) -> tuple[Draft, bool]:
    """Return a draft in the folder of `place`, and whether it has a name."""
    descriptor = _unnamed(place.parent)
    if descriptor is not None:
        return Draft(os.fdopen(descriptor, "w+b"), Path(f"/proc/self/fd/{descriptor}")), False
    path = _beside(place)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return Draft(os.fdopen(os.open(path, flags, 0o600), "w+b"), path), True


def _unnamed(folder: Path) -> int | None:
    """Return a descriptor of a file without a name; None if the system or its file system has none."""
    if not _UNNAMED or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, _UNNAMED | os.O_RDWR, _NEW_FILE)
    except OSError as error:
        # A missing folder also gives ENOENT, which the named draft will report.
        if error.errno in _NO_UNNAMED:
            return None
        raise


@contextmanager
def _closing(file: IO[bytes]) -> Iterator[None]:
    """Close a file; if the work failed, closing may fail as well, which is not the reason to report."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            file.close()
        raise
    file.close()


def _sync(file: IO[bytes]) -> None:
    """Write to the disk, not only to its cache."""
    file.flush()
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _settle_permissions(file: IO[bytes], place: Path, named: bool) -> None:
    """Set the permissions of the file that is replaced, or those of the user's umask for a new one."""
    if not hasattr(os, "fchmod"):  # Windows
        return
    try:
        old = place.stat()
    except FileNotFoundError:
        if named:
            _change_mode(file, _NEW_FILE & ~_umask())
        return
    new = os.fstat(file.fileno())
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(OSError):  # only root can give files away
            os.fchown(file.fileno(), old.st_uid, old.st_gid)
    _change_mode(file, stat.S_IMODE(old.st_mode) & _PERMISSIONS)


def _change_mode(file: IO[bytes], mode: int) -> None:
    """Change the mode, except on file systems without permissions, such as shares and memory cards."""
    try:
        os.fchmod(file.fileno(), mode)
    except OSError as error:
        if error.errno not in _NO_PERMISSIONS:
            raise


def _umask() -> int:
    """Return the umask. Only Linux tells it without setting it, which other threads might notice."""
    with contextlib.suppress(OSError):
        found = _UMASK.search(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))
        if found:
            return int(found[1], 8)
    with _umask_lock:
        mask = os.umask(0o077)
        os.umask(mask)
    return mask


# --- the name -


def _publish_unnamed(draft: Draft, place: Path, force: bool) -> None:
    """Give an unnamed file its name; one that is taken, only with `force`."""
    try:
        _link(draft, place)
    except FileExistsError:
        if not force:
            raise
        bridge = _beside(place)
        try:
            _link(draft, bridge)
            bridge.replace(place)
        finally:
            bridge.unlink(missing_ok=True)


def _link(draft: Draft, name: Path) -> None:
    """Give an unnamed draft a first name."""
    # With any src_dir_fd, Python follows the link in /proc to the file itself; the path is absolute.
    os.link(draft.path, name, src_dir_fd=draft.file.fileno(), follow_symlinks=True)


def _publish_named(draft: Path, place: Path, force: bool) -> None:
    """Rename a draft; without `force`, never onto a file that has appeared meanwhile."""
    if force:
        draft.replace(place)
        return
    try:
        os.link(draft, place)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _claim(place)
        draft.replace(place)


def _claim(place: Path) -> None:
    """Take an unused name; FileExistsError for all but the first to try."""
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _beside(place: Path) -> Path:
    return place.with_name(f".stegcli-{secrets.token_hex(4)}.part")


def _followed(target: Path) -> Path:
    """Return the target of a link, or the path itself."""
    if not target.is_symlink():
        return target
    place = Path(os.path.realpath(target))
    if place.is_symlink():
        raise OutputError(f"{target}: a link that leads back to itself", "Give another name with -o.")
    return place


def _refuse_long_name(target: Path, place: Path) -> None:
    """Raise an OutputError for a name that is too long, which a short draft's name would not reveal."""
    try:
        longest = os.pathconf(place.parent, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return
    length = len(os.fsencode(place.name))
    if 0 < longest < length:
        raise OutputError(
            f"{target}: the name has {length} bytes, but at most {longest} are possible here",
            "Give a shorter name with -o.",
        )


def _is_mount_point(target: Path) -> bool:
    """Whether a single file is mounted here, as in containers: it can be written to, but not replaced."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    points = {line.split()[_MOUNT_POINT] for line in lines if len(line.split()) > _MOUNT_POINT}
    # The kernel writes spaces and backslashes in octal.
    name = re.sub(rb"[\s\\]", lambda found: b"\\%03o" % found[0][0], os.fsencode(os.path.realpath(target)))
    return name in points


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except (OSError, ValueError):
        return False


def _output_error(target: Path, error: OSError) -> OutputError:
    if error.errno == errno.EEXIST:
        return OutputError(
            f"{target}: exists already", "Give another name with -o, or replace it with --force."
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return OutputError(f"{target}: the disk is full", "Free some space, or write elsewhere with -o.")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return OutputError(
            f"{target}: its folder does not exist", "Create the folder, or write elsewhere with -o."
        )
    too_long = error.errno == errno.ENAMETOOLONG
    hint = "Give a shorter name with -o." if too_long else "Write elsewhere with -o."
    return OutputError(f"{target}: cannot be written ({one_line(error)})", hint)
