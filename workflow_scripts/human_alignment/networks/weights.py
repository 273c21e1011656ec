"""Weights files: safetensors with timm's key names and the network's record in the metadata.

The metadata also hold a digest of record, notes and tensors, which is checked when they are loaded.
Files of earlier versions lack it and are taken as they are.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from ..common.cli import UserError
from ..common.files import written_whole
from .dcls import position_groups
from .records import Network
from .zoo import build, skeleton

RECORD = "human_alignment"  # the metadata entry that holds the network's record and the notes
DIGEST = "digest"  # the key in it of the digest


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
    held = {"spec": spec.as_dict(), **notes}
    metadata = {RECORD: json.dumps(held | {DIGEST: _digest(held, state)}, sort_keys=True)}
    # Bytes, written by Python: a full disk is then an OSError, not an error of safetensors' own.
    content = save(state, metadata)
    with written_whole(path) as partial:
        partial.write_bytes(content)


def _digest(held: dict, state: Mapping[str, torch.Tensor]) -> str:
    """Hex SHA-256 of the metadata and of every tensor's name, type, shape and values."""
    digest = hashlib.sha256(json.dumps(held, sort_keys=True).encode())
    for name, tensor in sorted(state.items()):
        digest.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def read_spec(path: Path | str) -> tuple[Network, dict]:
    """The network's record and the notes of a weights file, without reading its tensors."""
    spec, held = _read_held(path)
    return spec, {name: value for name, value in held.items() if name not in ("spec", DIGEST)}


def _read_held(path: Path | str) -> tuple[Network, dict]:
    """The network's record, and the whole metadata entry as it was written."""
    try:
        with safe_open(path, "pt") as stream:
            held = json.loads((stream.metadata() or {})[RECORD])
        if not isinstance(held, dict):
            raise UserError(f"its metadata hold a {type(held).__name__}, no record")
        return Network.from_dict(held["spec"]), held
    except FileNotFoundError as error:
        raise UserError(f"weights file {path} does not exist") from error
    except (
        OSError, SafetensorError, LookupError, TypeError, ValueError, RecursionError, UserError
    ) as error:  # fmt: skip
        raise UserError(
            f"{path} is not a weights file of this pipeline ({error}); "
            "convert_checkpoint.py or train_model.py makes one"
        ) from error


def load_weights(path: Path | str) -> tuple[nn.Module, Network, dict]:
    """Build the network of a weights file and load its tensors, strictly.

    Returns the model in evaluation mode, its record and the file's notes.
    Raises UserError when the tensors do not fit the record, or are not those that were written.
    """
    spec, held = _read_held(path)
    with safe_open(path, "pt") as stream:
        state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    digest = held.pop(DIGEST, None)
    if digest is not None and digest != _digest(held, state):
        raise UserError(
            f"{path} does not hold what was written: the digest of its record and tensors differs; "
            "delete it, and convert or train again"
        )
    _check_extent(spec, state, str(path))
    try:
        model = build(spec)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    load_strictly(model, state, str(path))
    return model.eval(), spec, {name: value for name, value in held.items() if name != "spec"}


def _check_extent(spec: Network, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Refuse a record whose network is larger than the tensors beside it, before it is built.

    The network is first built without storage, but for DCLS, whose package allocates its tensors
    all the same: of these the file says how many weights a kernel has. The builder still loops
    over what the record counts, so that no number there may be above all numbers of the file: how
    many tensors there are, and how long they are.
    """
    most = max([len(state), *(length for tensor in state.values() for length in tensor.shape)])
    counts = {t.shape[-1] for name, t in state.items() if name.endswith(".P") and t.ndim}
    if spec.dcls and spec.dcls.kernel_count not in (counts or range(most + 1)):
        raise UserError(
            f"{source}: dcls.kernel_count is {spec.dcls.kernel_count}, but its positions are of "
            f"{', '.join(map(str, sorted(counts))) or 'no layer'}; the record is of other weights"
        )
    if (largest := _largest(spec.arguments)) > most:
        raise UserError(
            f"{source}: arguments of its network hold {largest}, but its tensors are of {most} at "
            "most; the record is not of these weights"
        )
    try:
        empty = skeleton(spec)
    except (NotImplementedError, UserError):
        return  # one of timm's that needs storage to be built; or `build` will say what is wrong
    check_fits(empty, state, source)


def _largest(value: object) -> float:
    """The largest number in nested lists and mappings; 0 if there is none."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def load_strictly(model: nn.Module, state: dict[str, torch.Tensor], source: str) -> None:
    """Load `state` into `model` if names and shapes are the same and shared positions are equal.

    Numbers of another floating type, such as float16, are converted to the model's. source: where
    the state comes from, named in messages. Raises UserError as `check_fits` does, and when a
    value is not finite or shared positions differ.
    """
    check_fits(model, state, source)
    for name, ours in model.state_dict().items():
        if ours.is_floating_point() and not state[name].to(ours.dtype).isfinite().all():
            raise UserError(
                f"{source}: {name} holds NaN or infinite values; take a checkpoint of a training "
                "that did not diverge"
            )
    for first, *others in position_groups(model):
        for name, shared in itertools.product(others, ("P", "SIG")):
            one, two = f"{first}.{shared}", f"{name}.{shared}"
            if one in state and not torch.equal(state[one], state[two]):
                raise UserError(
                    f"{source}: {one} and {two} are shared in this network but differ in "
                    "the file; the file belongs to a network that does not share positions"
                )
    model.load_state_dict(state, strict=True)


def check_fits(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Check names, shapes and kinds of numbers of a state against a model; no value is looked at.

    A floating-point tensor must be floating-point of any precision, a counter a whole number.
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
    for name, ours in expected.items():
        kind, wanted = _kind(state[name]), _kind(ours)
        if kind != wanted:
            raise UserError(f"{source}: {name} holds {kind}; this network needs {wanted}")


def _kind(tensor: torch.Tensor) -> str:
    """What sort of numbers a tensor holds, in words."""
    if tensor.is_floating_point():
        return "floating-point numbers"
    if tensor.is_complex() or tensor.dtype == torch.bool:
        return str(tensor.dtype)
    return "whole numbers"


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
