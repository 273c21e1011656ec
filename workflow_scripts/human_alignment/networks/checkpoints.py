"""Published checkpoints: read them without running code, and give their tensors timm's names.

Published checkpoints are pickles, and a pickle can run any code when it is opened. Here torch's
restricted unpickler opens them: it takes tensors, containers, and the few harmless types in
ALLOWED.

They are also zip archives, and an archive of 4 MB can unpack to 4 GB. torch.save compresses
nothing, so that what an archive holds is no larger than the file: this is checked in its list of
entries, before any of them is read. Its pickle lists the tensors, and what it describes takes up to
60 times its own size in memory: it may have LARGEST_PICKLE bytes.
"""

import argparse
import inspect
import pathlib
import pickle
import pickletools
import re
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from timm.models import _builder, convnext, fastvit, metaformer
from torch import Tensor, nn

from ..common.cli import UserError
from .records import Network

# What training scripts store in a checkpoint beside tensors: their arguments (timm, ConvNeXt) with
# paths in them (submitit), and learning rates from a numpy array (ConvNeXt's schedule).
_SCALAR = np.float64(0).__reduce__()[0]
ALLOWED = [
    (argparse.Namespace, "argparse.Namespace"),
    (pathlib.PurePosixPath, "pathlib.PosixPath"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (np.dtype, "numpy.dtype"),
    (type(np.dtype(np.float64)), "numpy.dtypes.Float64DType"),
]

LARGEST_PICKLE = 16 << 20  # bytes; those of the published checkpoints have 0.3 MB at most

# Keys under which training scripts store a network's state, in order of preference: timm's
# average of the weights, then ConvNeXt's `model`, which is what the authors' loader reads.
WRAPPERS = ("state_dict_ema", "model", "model_ema", "state_dict")

# timm's renaming of the original repositories' layouts. A ResNet needs none.
FILTERS = {
    "convnext": convnext.checkpoint_filter_fn,
    "convformer": metaformer.checkpoint_filter_fn,
    "caformer": metaformer.checkpoint_filter_fn,
    "fastvit": fastvit.checkpoint_filter_fn,
}

COUNTER = "num_batches_tracked"


def read_tensors(path: Path | str, source: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, on the CPU; nothing else is opened.

    source: where the file comes from, named in messages.
    Raises UserError when the file is damaged or of another format.
    """
    path = Path(path)
    if not _is_safetensors(_head(path)):
        raise UserError(
            f"{source} was not opened: it is no safetensors file, and others can run code when "
            "they are opened; take a repository that holds safetensors"
        )
    try:
        return load_file(path)
    except Exception as error:  # a damaged file can fail in any way
        raise _damaged(source, error) from error


def _head(path: Path) -> bytes:
    """The first bytes of a file, which say what format it has."""
    with open(path, "rb") as stream:
        return stream.read(80)


def _is_safetensors(head: bytes) -> bool:
    """Whether a file begins as safetensors do: the length of a header, then the header as JSON."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32


def read_checkpoint(path: Path | str, source: str | None = None) -> dict[str, Tensor]:
    """The state dict in a checkpoint (torch.save's two formats, or safetensors), on the CPU.

    It is the first of WRAPPERS that the file holds; without any, the file itself must be a state
    dict. The keys that are not used are named on stderr. If every name begins with `module.`,
    that prefix is removed.

    source: where the file comes from, named in messages instead of its path.
    Raises UserError when the file is damaged or no checkpoint, when it claims to be larger than it
    is, when loading it would run code (with the name of that code), and when the state dict holds
    anything but plain tensors: dense, neither quantised nor without values.
    """
    source = source or str(path)
    content = _open(Path(path), source)
    if not isinstance(content, dict):
        raise UserError(f"{source} holds a {type(content).__name__}, not a dictionary of tensors")
    key = next((key for key in WRAPPERS if isinstance(content.get(key), dict)), None)
    state = content if key is None else content[key]
    if unused := [str(name) for name in content if key is not None and name != key]:
        print(f"note: {source}: took {key!r}, left {', '.join(unused)}", file=sys.stderr)
    strange = [
        f"{name} ({type(value).__name__})"
        for name, value in state.items()
        if not (isinstance(name, str) and isinstance(value, Tensor))
    ]
    if strange or not state:
        raise UserError(
            f"{source}: {key or 'the file'} is no dictionary of tensors; it holds "
            f"{', '.join(strange[:10]) or 'nothing'}; looked for under {', '.join(WRAPPERS)}"
        )
    for name, tensor in state.items():
        if kind := _special(tensor):
            raise UserError(
                f"{source}: {name} is {kind} tensor; save the checkpoint with plain dense tensors"
            )
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return dict(state)


def _special(tensor: Tensor) -> str | None:
    """In what way a tensor holds no plain values, in words; None if it does hold them."""
    if tensor.is_meta:
        return "a meta"
    if tensor.is_quantized:
        return "a quantised"
    return None if tensor.layout == torch.strided else "a sparse"


def _check_sizes(path: Path, source: str) -> None:
    """Refuse a zip archive whose entries claim more bytes than the file has."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise UserError(
                f"{source} was not opened: its entry {entry.filename} of {entry.compress_size} "
                f"bytes unpacks to {entry.file_size}, and torch.save compresses nothing; take the "
                "checkpoint from its publisher"
            )
        if entry.filename.endswith(".pkl") and entry.file_size > LARGEST_PICKLE:
            raise UserError(
                f"{source} was not opened: its pickle {entry.filename} has {entry.file_size} "
                f"bytes; {LARGEST_PICKLE} are allowed, and a state dict needs much less"
            )
    claimed, size = sum(entry.file_size for entry in entries), path.stat().st_size
    if claimed > size:
        raise UserError(
            f"{source} was not opened: its entries claim {claimed} bytes, the file has {size}; "
            "take the checkpoint from its publisher"
        )


def _open(path: Path, source: str):
    """The content of a file of any of the three formats; its first bytes say which it is."""
    head = _head(path)
    is_zip = head.startswith(b"PK")
    try:
        if _is_safetensors(head):
            return load_file(path)
        if is_zip:
            _check_sizes(path, source)
        if is_zip or head.startswith(b"\x80"):
            with torch.serialization.safe_globals(ALLOWED):
                # Mapped, so that optimiser states beside the weights are never read.
                return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        if wanted := _wanted(path, str(error)):
            raise UserError(
                f"{source} was not loaded: it asks for {wanted}, which no state dict needs and "
                "which may run code; take the checkpoint from its publisher, or save its tensors "
                "alone as safetensors if you trust it"
            ) from error
        raise _damaged(source, error) from error
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise _damaged(source, error) from error
    raise UserError(f"{source} is not a checkpoint: it begins with {head[:60]!r}")


def _damaged(source: str, error: Exception) -> UserError:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    return UserError(f"{source} is damaged or cut short ({reason}); fetch it again")


def _wanted(path: Path, message: str) -> str:
    """The name that torch refused; if torch gives none, every name of code in the pickle.

    torch gives none with pickles of a newer protocol.
    """
    if found := re.search(r"GLOBAL (\S+)", message):
        return found[1]
    names, texts, memo, last = [], [], [], ""
    try:
        for operation, value, _ in pickletools.genops(_pickled(path)):
            if operation.name == "MEMOIZE":
                memo.append(last)
                continue
            remembered = operation.name in ("BINGET", "LONG_BINGET")
            last = memo[value] if remembered else value if isinstance(value, str) else ""
            texts += [last] if last else []
            if operation.name == "STACK_GLOBAL":
                names.append(".".join(texts[-2:]))
    except Exception:  # a damaged archive or pickle can fail in any way
        pass  # the names before the damage
    return ", ".join(dict.fromkeys(names))


def _pickled(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))


def convert(
    state: dict[str, Tensor], model: nn.Module, spec: Network, source: str
) -> dict[str, Tensor]:
    """A published state dict under timm's names and in timm's shapes; no entry is lost.

    Shapes change only by axes of length one (a linear layer that timm writes as 1x1
    convolution). Missing batch counters are set to zero, with a note on stderr, if their
    statistics are there: evaluation does not use them. `weights.load_strictly` checks whether the
    result fits the network.

    model: built from `spec`; only its names and shapes are used.  source: named in messages.
    Raises UserError when timm's renaming would lose an entry.
    """
    expected = model.state_dict()
    result = {}
    for name, old in _timm_names(list(state), spec.family, source).items():
        tensor = state[old]
        fits = name in expected and _squeezed(expected[name]) == _squeezed(tensor)
        result[name] = tensor.reshape(expected[name].shape) if fits else tensor
    absent = [
        name
        for name in expected.keys() - result.keys()
        if name.endswith(COUNTER) and name.replace(COUNTER, "running_mean") in result
    ]
    if absent:
        print(f"note: {source} has no {COUNTER}; {len(absent)} set to 0", file=sys.stderr)
    return result | {name: torch.zeros_like(expected[name], device="cpu") for name in absent}


def convert_timm(state: dict[str, Tensor], spec: Network, source: str) -> dict[str, Tensor]:
    """A state dict of timm's own repositories, as timm brings it to the names of its network.

    Some of the repositories have the names of the weights' authors. timm's function that renames
    them belongs to the architecture; it is taken from the call in which timm would load weights.
    source: named in messages. Raises UserError when timm cannot rename the names in the file.
    """
    with mock.patch.object(_builder, "load_pretrained") as call:
        model = timm.create_model(
            spec.arguments["name"], pretrained=True, num_classes=spec.num_classes
        )
    rename = call.call_args.kwargs["filter_fn"]
    if rename is None:
        return state
    try:
        return rename(*(state, model)[: len(inspect.signature(rename).parameters)])
    except Exception as error:  # whatever a function of timm raises on names it does not expect
        raise UserError(
            f"{source} does not fit {spec.arguments['name']}: timm cannot rename its tensors "
            f"({type(error).__name__}: {str(error)[:200]})"
        ) from error


def _squeezed(tensor: Tensor) -> list[int]:
    return [length for length in tensor.shape if length != 1]


def _timm_names(names: list[str], family: str, source: str) -> dict[str, str]:
    """A mapping from timm's names to the names in the file.

    timm's filters get a one-element tag for each name instead of the tensors. They can then only
    rename: an entry that they drop is noticed, and nothing is reshaped. (metaformer's filter looks
    every name up in the model and fails on the first unknown one; convnext's drops some names.)
    """
    if family not in FILTERS:
        return {name: name for name in names}
    stand_in = SimpleNamespace(state_dict=_AnyName, head=None)
    tags = {name: torch.tensor([i]) for i, name in enumerate(names)}
    renamed = {new: int(tag) for new, tag in FILTERS[family](tags, stand_in).items()}
    if lost := sorted(set(range(len(names))) - set(renamed.values())):
        listed = "\n  ".join(names[i] for i in lost[:10])
        raise UserError(f"{source} is no {family} checkpoint; timm has no place for\n  {listed}")
    return {new: names[i] for new, i in renamed.items()}


class _AnyName(dict):
    """A state dict that has an entry under every name."""

    def __missing__(self, _name: str) -> Tensor:
        return torch.empty(1)
