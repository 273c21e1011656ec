"""A published checkpoint as a weights file of this pipeline."""

from pathlib import Path

from ..common.cli import UserError
from ..common.files import sha256
from ..common.sources import masked
from .checkpoints import convert, read_checkpoint
from .records import Network
from .weights import load_strictly, save_weights
from .zoo import build, find


def convert_file(
    checkpoint: Path, network: Network, output: Path | str, source: str, expected: str, again: str
) -> None:
    """Convert a checkpoint; its source and SHA-256 go into the metadata of the weights file.

    source: where the checkpoint comes from, for messages and the metadata.  expected: its SHA-256
    in hex, or empty.  again: what to do if it has another one, for the message.

    Raises UserError when there is no such file, it has another digest, or does not fit.
    """
    network = find(network)
    source = masked(source)
    digest = _checked_digest(checkpoint, source, expected, again)
    model = build(network)
    state = read_checkpoint(checkpoint, source)
    load_strictly(model, convert(state, model, network, source), source)
    save_weights(output, model, network, source=source, sha256=digest)


def _checked_digest(checkpoint: Path, source: str, expected: str, again: str) -> str:
    if not checkpoint.is_file():
        raise UserError(f"{checkpoint}: no such file; download_checkpoint.py gets one from a URL")
    found = sha256(checkpoint)
    if expected and found != expected.lower():
        raise UserError(
            f"{source} has another sha256 than expected\n  expected {expected.lower()}\n"
            f"  found    {found}, of {checkpoint}\n{again}, or correct the digest"
        )
    return found
