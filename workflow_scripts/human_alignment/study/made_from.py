"""What weights and scores were made from, read with Python alone.

Snakemake leaves the files behind a failed job as they are: after a checkpoint's address changed and
its download failed, the weights and scores of the old checkpoint are still there. They must not
enter a table of the study as it is now.

As in Snakemake, a file that is older than what was made from it has not changed since. A newer one
is compared by its digest.
"""

import json
from pathlib import Path

from ..common.files import sha256
from ..common.sources import masked

_NOTES = "human_alignment"  # the metadata entry of a weights file
_LONGEST = 100_000_000  # bytes of a header, by the format's definition


def weights_notes(path: Path | str) -> dict:
    """The network's record (`spec`) and the notes of a weights file; empty if it is none.

    A safetensors file begins with the length of its header, 8 bytes, and the header as JSON.
    """
    try:
        with open(path, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if length <= _LONGEST else {}
        found = json.loads(header["__metadata__"][_NOTES])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not isinstance(found, dict):
        return {}
    source = found.get("source")  # of earlier versions with the secrets of its URL
    return found | ({"source": masked(source)} if isinstance(source, str) else {})


def json_file(path: Path | str) -> dict:
    """What a JSON file holds; empty if it is not there, not whole or no object."""
    try:
        found = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def weights_as_wanted(path: Path | str, record: dict, notes: dict) -> bool:
    """Whether a weights file is of this network and has no other notes than these.

    record: of the network. A field that it leaves to a job does not count: a transform that is
    None, and `num_classes`, which a training takes from its data. Neither does a note that the
    file lacks, as files of earlier versions do.
    """
    found = weights_notes(path)
    spec = found.get("spec")
    if not isinstance(spec, dict) or any(found.get(key, notes[key]) != notes[key] for key in notes):
        return False
    open_fields = {"num_classes"} | {key for key in ("transform",) if record[key] is None}
    return all(spec.get(key) == value for key, value in record.items() if key not in open_fields)


def is_unchanged(path: Path | str, made: Path | str, digest: str | None) -> bool:
    """Whether a file is the one that another was made from.

    made: the file made from it.  digest: SHA-256 of the file as it was then.
    """
    path, made = Path(path), Path(made)
    if digest is None or not (path.is_file() and made.is_file()):
        return False
    return path.stat().st_mtime <= made.stat().st_mtime or sha256(path) == digest
