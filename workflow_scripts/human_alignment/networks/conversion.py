"""A published checkpoint as a weights file of this pipeline."""

from pathlib import Path

from torch import Tensor, nn

from ..common.cli import UserError
from ..common.files import sha256
from ..common.sources import HUB, hub_file, local_path, masked
from . import hub, timm_weights
from .checkpoints import convert, convert_timm, read_checkpoint, read_tensors
from .records import Network
from .weights import load_strictly, save_weights
from .zoo import build, find

CHECKPOINT_HELP = "URL or path of the checkpoint, or hf://OWNER/NAME/FILE.safetensors"


def convert_file(
    checkpoint: Path, network: Network, output: Path | str, source: str, expected: str, again: str
) -> None:
    """Convert a checkpoint; its source and SHA-256 go into the metadata of the weights file.

    source: where the checkpoint comes from, for messages and the metadata; of a file of the hub the
    metadata hold the commit too, as `revision`.  expected: its SHA-256 in hex, or empty.
    again: what to do if it has another one, for the message.

    Raises UserError when there is no such file, it has another digest, or does not fit.
    """
    network = find(network)
    source = masked(source)
    notes = {"source": source, "sha256": _checked_digest(checkpoint, source, expected, again)}
    if hub_file(source) and (commit := hub.revision(checkpoint)):
        notes["revision"] = commit
    model = build(network)
    load_strictly(model, converted(checkpoint, model, network, source), source)
    save_weights(output, model, network, **notes)


def converted(
    checkpoint: Path, model: nn.Module, network: Network, source: str
) -> dict[str, Tensor]:
    """The tensors of a checkpoint under timm's names.

    A file of the hub is opened as safetensors only; if it is of a plain network of timm, it is
    renamed as timm itself does when it loads pretrained weights.
    model: built from `network`, a complete record.  source: where the checkpoint comes from.
    """
    if not hub_file(source):
        return convert(read_checkpoint(checkpoint, source), model, network, source)
    state = read_tensors(checkpoint, source)
    if network.family == "timm" and not network.dcls:
        return convert_timm(state, network, source)
    return convert(state, model, network, source)


def default_source(network: Network) -> tuple[Network, str]:
    """A network of timm with the tag of its own weights, and where on the hub they are.

    Raises UserError when the network is not of timm, has DCLS, or timm has no weights of it that
    can be used.
    """
    if network.family != "timm" or network.dcls:
        raise UserError(
            "only plain networks of timm (timm:NAME) have weights by their name; name the file of "
            "this one's"
        )
    row = timm_weights.find(network.arguments["name"])
    if problem := row.problem(network.arguments.get("feature_layer")):
        raise UserError(f"{row.name}: {problem}")
    named = network.arguments | {"name": row.name}
    return network.changed(arguments=named, num_classes=row.classes), row.source


def present(source: str) -> Path | None:
    """The path on this machine of a local file, or of a file of the hub, which is fetched.

    None of a file on a web server, which `data.download.fetch` gets.
    Raises UserError as `hub.fetch` does.
    """
    if source.startswith(HUB):
        return hub.fetch(source)
    path = local_path(source)
    return None if path is None else Path(path)


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
