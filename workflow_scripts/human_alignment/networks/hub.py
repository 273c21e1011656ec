"""Files of the Hugging Face hub, fetched by huggingface_hub into its own cache.

Its environment variables apply: HF_ENDPOINT (a mirror), HF_TOKEN, HF_HOME (where the cache is) and
HF_HUB_OFFLINE. A file that is in the cache, and has not changed on the hub, is not fetched again.
"""

import re
from pathlib import Path

import httpx2
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import XetDownloadError

from ..common.cli import UserError
from ..common.sources import hub_file, masked, url_problem

_FETCH_BY_HAND = "give the address of a checkpoint (`checkpoint: {url: ...}`, by hand `--source`)"
_REMEDIES = {
    401: "the repository is private, gated or does not exist: correct its name, or set HF_TOKEN",
    403: "the token may not read the repository: accept its terms on the hub, or set HF_TOKEN",
    404: f"the hub has no such repository, revision or file: correct the name, or {_FETCH_BY_HAND}",
    429: "too many requests: wait some minutes; with HF_TOKEN set the hub allows more",
}


def fetch(source: str) -> Path:
    """The path in huggingface_hub's cache of a file `hf://owner/name/file`, fetched if need be.

    Raises UserError that names the file, what the hub answered and what to do; the cache then holds
    no file under this name.
    """
    if problem := url_problem(source):
        raise UserError(problem)
    wanted = hub_file(source)
    try:
        found = hf_hub_download(wanted.repository, wanted.file, revision=wanted.revision)
    except (OSError, ValueError, httpx2.HTTPError, httpx2.InvalidURL, XetDownloadError) as error:
        raise UserError(f"{source}: {_problem(error)}") from error
    return Path(found)


def revision(path: Path) -> str | None:
    """The commit that a file of the cache, or a link to one, belongs to; None of another file.

    In the cache files lie in `models--OWNER--NAME/snapshots/COMMIT/`.
    """
    for place in (path, path.readlink()) if path.is_symlink() else (path,):
        if found := re.search(r"/models--[^/]+/snapshots/([0-9a-f]+)/", place.as_posix()):
            return found[1]
    return None


def _problem(error: BaseException) -> str:
    """What went wrong, and what to do, in a few lines."""
    chain = [error]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)
    answers = [one.response for one in chain if getattr(one, "response", None) is not None]
    endpoint = masked(constants.ENDPOINT)
    if answers:
        status = answers[0].status_code
        remedy = _REMEDIES.get(status, "try again later, or set HF_ENDPOINT to a mirror")
        return f"the hub at {endpoint} answered {status} {answers[0].reason_phrase}\n{remedy}"
    if constants.is_offline_mode():
        return (
            f"HF_HUB_OFFLINE is set, and the cache {constants.HF_HUB_CACHE} has no such file\n"
            "fetch it once without HF_HUB_OFFLINE, or set HF_HOME to the folder that has it"
        )
    told = [str(one).strip().partition("\n")[0] for one in chain]
    reason = masked(next(filter(None, reversed(told)), type(error).__name__))
    if any(isinstance(one, httpx2.HTTPError) for one in chain):
        return (
            f"the hub at {endpoint} does not answer ({reason})\n"
            "check the connection, set HF_ENDPOINT to a mirror, or set HF_HOME to a folder whose "
            "cache has the file"
        )
    return f"it cannot be fetched from the hub at {endpoint} to {constants.HF_HUB_CACHE}: {reason}"
