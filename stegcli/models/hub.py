"""The only module that contacts the Hugging Face Hub: fetch a file, pin a branch, push a folder of weights.

Whatever its client raises, which differs between releases, becomes a ModelError with a cure.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stegcli.errors import ModelError, StegError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCHEME", "fetch", "latest", "push"]

SCHEME: Final = "hf://"
_BY_HAND: Final = "or copy the folder of the weights here and give --weights DIR."
_LOG_IN: Final = "Check its name; if it is private or asks for consent, log in (`hf auth login`, HF_TOKEN)"
_NO_FILE: Final = f"That commit has no such file: take one that `stegcli models push` made, {_BY_HAND}"
_OTHERWISE: Final = f"Check the network, the proxy and the address, and try again, {_BY_HAND}"
_HINTS: Final = (
    ("GatedRepoError", f"{_LOG_IN} and accept its terms on the Hub, {_BY_HAND}"),
    ("RevisionNotFoundError", f"The repository is there, that commit is not: check its digits, {_BY_HAND}"),
    ("LocalEntryNotFoundError", _OTHERWISE),
    ("EntryNotFoundError", _NO_FILE),
    ("OfflineModeIsEnabled", f"Unset HF_HUB_OFFLINE to download it, {_BY_HAND}"),
    ("RepositoryNotFoundError", f"{_LOG_IN}, {_BY_HAND}"),
    ("ImportError", f"Install what it names, unset ALL_PROXY and HTTPS_PROXY, {_BY_HAND}"),
)
"""By the names of the client's classes, most specific first, since they have moved between modules."""
_BY_STATUS: Final = {401: f"{_LOG_IN}, {_BY_HAND}", 403: f"{_LOG_IN}, {_BY_HAND}"}


def fetch(repository: str, revision: str, name: str) -> Path:
    """Return the path of a file in the Hugging Face cache; it is downloaded only if it is not there.

    An interrupted transfer is resumed.

    Args:
        repository: "owner/name".
        revision: a commit, 40 hexadecimal digits.
        name: path in the repository.

    Raises:
        ModelError: it cannot be fetched.
    """
    with _explained(f"cannot fetch {name} from {repository} at {revision[:12]}"):
        return Path(_client().hf_hub_download(repository, name, revision=revision))


def latest(repository: str, branch: str = "main") -> str:
    """Return the commit to which a branch currently points, 40 hexadecimal digits.

    Raises:
        ModelError: the Hub cannot be reached, or does not know the repository.
    """
    with _explained(f"cannot look up {repository}"):
        return str(_client().HfApi().model_info(repository, revision=branch).sha)


def push(repository: str, files: Mapping[str, bytes], message: str, *, private: bool) -> str:
    """Push files to a repository, created if necessary, as one commit; return its 40 hexadecimal digits.

    Args:
        repository: "owner/name".
        files: path in the repository -> content.
        message: commit message.
        private: whether a newly created repository is private.

    Raises:
        ModelError: the Hub refuses, or cannot be reached.
    """
    with _explained(f"cannot push to {repository}"):
        client = _client()
        api = client.HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        adds = [client.CommitOperationAdd(name, content) for name, content in files.items()]
        return str(api.create_commit(repository, adds, commit_message=message).oid)


def _client() -> Any:  # noqa: ANN401 - the module
    with redirect_stdout(io.StringIO()):  # it prints if one of its settings is not a number
        import huggingface_hub
        from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # the terminal belongs to the caller
    return huggingface_hub


@contextmanager
def _explained(what: str) -> Iterator[None]:
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it warns at each retry, but the terminal belongs to the caller
    try:
        yield
    except StegError:
        raise
    except Exception as error:  # whatever the HTTP client raises
        raise ModelError(f"{what}: {one_line(error)}", _hint(error)) from error
    finally:
        logger.setLevel(level)


def _hint(error: BaseException) -> str:
    """Return what to do, depending on the error or on its cause."""
    cause: BaseException | None = error
    settings = sys.modules.get("huggingface_hub.constants")  # None if the client itself failed to load
    if getattr(settings, "HF_HUB_OFFLINE", False):
        return dict(_HINTS)["OfflineModeIsEnabled"]
    while cause is not None:
        names = {kind.__name__ for kind in type(cause).__mro__}
        for name, hint in _HINTS:
            if name in names:
                return hint
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status in _BY_STATUS:
            return _BY_STATUS[status]
        cause = cause.__cause__
    return _OTHERWISE
