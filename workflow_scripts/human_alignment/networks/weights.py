"""Weights files: safetensors with timm's key names and the network's record in the metadata."""

import itertools
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from ..common.cli import UserError
from ..common.files import written_whole
from .dcls import position_groups
from .records import Network
from .zoo import build

RECORD = "human_alignment"  # the metadata entry that holds the network's record and the notes


def save_weights(path: Path | str, model: nn.Module, spec: Network, **notes) -> None:
    """Write a model's state and record.

    Positions that DCLS layers share are written under the name of each of these layers.
    notes: further metadata, as plain values, e.g. where the weights come from.
    Raises OSError that names the file when it cannot be written; an older file then stays.
    """
    # Clones, because safetensors refuses tensors that share memory, as shared positions do.
    state = {name: t.detach().cpu().contiguous().clone() for name, t in model.state_dict().items()}
    # One entry, because safetensors writes several in random order: equal weights would then have
    # different digests.
    metadata = {RECORD: json.dumps({"spec": spec.as_dict(), **notes}, sort_keys=True)}
    # Bytes, written by Python: a full disk is then an OSError, not an error of safetensors' own.
    content = save(state, metadata)
    with written_whole(path) as partial:
        partial.write_bytes(content)


def read_spec(path: Path | str) -> tuple[Network, dict]:
    """The network's record and the notes of a weights file, without reading its tensors."""
    try:
        with safe_open(path, "pt") as stream:
            notes = json.loads((stream.metadata() or {})[RECORD])
        return Network.from_dict(notes.pop("spec")), notes
    except FileNotFoundError as error:
        raise UserError(f"weights file {path} does not exist") from error
    except (SafetensorError, KeyError, TypeError, ValueError, UserError) as error:
        raise UserError(
            f"{path} is not a weights file of this pipeline ({error}); "
            "convert_checkpoint.py or train_model.py makes one"
        ) from error


def load_weights(path: Path | str) -> tuple[nn.Module, Network, dict]:
    """Build the network of a weights file and load its tensors, strictly.

    Returns the model in evaluation mode, its record and the file's notes.
    Raises UserError when the tensors do not fit the record.
    """
    spec, notes = read_spec(path)
    model = build(spec)
    with safe_open(path, "pt") as stream:
        state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    load_strictly(model, state, str(path))
    return model.eval(), spec, notes


def load_strictly(model: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Load `state` into `model` if names and shapes are the same and shared positions are equal.

    source: where the state comes from, named in messages.
    Raises UserError with the first ten mismatches; when the two differ only in that one of them has
    DCLS, it says so instead.
    """
    expected = model.state_dict()
    if differs := _only_in_dcls(expected, state):
        raise UserError(f"{source}: {differs}")
    wrong = [f"missing {n} {list(expected[n].shape)}" for n in expected if n not in state]
    wrong += [f"unknown {n} {list(state[n].shape)}" for n in state if n not in expected]
    wrong += [
        f"{n}: {list(state[n].shape)} in the file, {list(expected[n].shape)} in the model"
        for n in expected
        if n in state and state[n].shape != expected[n].shape
    ]
    if wrong:
        more = f"\n  and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        listed = "\n  ".join(wrong[:10])
        raise UserError(f"{source} does not fit this network:\n  {listed}{more}")
    for first, *others in position_groups(model):
        for name, shared in itertools.product(others, ("P", "SIG")):
            one, two = f"{first}.{shared}", f"{name}.{shared}"
            if one in expected and not torch.equal(state[one], state[two]):
                raise UserError(
                    f"{source}: {one} and {two} are shared in this network but differ in "
                    "the file; the file belongs to a network that does not share positions"
                )
    model.load_state_dict(state, strict=True)


def _only_in_dcls(expected: dict[str, torch.Tensor], state: dict[str, torch.Tensor]) -> str | None:
    """What to say when a state and a network differ only in that one of them has DCLS, else None.

    One of them then has positions. All tensors agree in name and shape but those of the layers that
    have positions; there the other one has a convolution's weight, with one axis more.
    """
    ours, theirs = (
        {name.removesuffix(".P") for name in tensors if name.endswith(".P")}
        for tensors in (expected, state)
    )
    if bool(ours) == bool(theirs):
        return None
    layers = ours | theirs
    dcls, plain = (expected, state) if ours else (state, expected)
    shapes, others = (
        {name: t.shape for name, t in tensors.items() if name.rpartition(".")[0] not in layers}
        for tensors in (dcls, plain)
    )
    weights = [f"{layer}.weight" for layer in layers]
    replaced = all(w in dcls and w in plain and plain[w].ndim > dcls[w].ndim for w in weights)
    if shapes != others or not replaced:
        return None
    if ours:
        return (
            "This checkpoint is of the plain network (no DCLS positions in it); this network has "
            "DCLS.\nIn the config, take `_dcls` from the model's name (with `timm`: remove "
            "`dcls`), or give the checkpoint with DCLS; by hand, change --model."
        )
    return (
        "This checkpoint is of the network with DCLS (it has DCLS positions); this network has "
        "none.\nIn the config, add `_dcls` to the model's name (with `timm`: add `dcls`), or give "
        "the plain checkpoint; by hand, change --model."
    )
