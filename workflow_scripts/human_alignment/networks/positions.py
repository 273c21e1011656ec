"""Learned DCLS positions, and which of them meet pixels: what only the figure of them needs."""

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from . import zoo
from .dcls import stage_of
from .weights import read_spec


def read_positions(path: Path | str) -> dict[str, np.ndarray]:
    """Learned DCLS positions of a weights file by stage: (n, 2), see `offsets`.

    Positions that layers share are listed once. Empty without DCLS.
    """
    spec, _ = read_spec(path)
    if spec.dcls is None:
        return {}
    stages: dict[str, dict[tuple, np.ndarray]] = {}
    with safe_open(path, "np") as stream:
        for name in (key for key in stream.keys() if key.endswith(".P")):  # noqa: SIM118
            positions = stream.get_tensor(name)
            found = offsets(positions, spec.dcls.version)
            stages.setdefault(stage_of(name), {}).setdefault(positions.shape, found)
    return {stage: np.concatenate(list(parts.values())) for stage, parts in stages.items()}


def map_sizes(path: Path | str) -> dict[str, tuple[int, int]]:
    """Rows and columns of the largest map that DCLS layers of a weights file see, by stage.

    The image has the size of the network's crop. An element of a kernel with an offset of at least
    so many pixels meets no pixel, wherever on the map the kernel is. Empty without DCLS.
    """
    spec, _ = read_spec(path)
    if spec.dcls is None:
        return {}
    with safe_open(path, "np") as stream:
        layers = [key.removesuffix(".P") for key in stream.keys() if key.endswith(".P")]  # noqa: SIM118
    spec = zoo.find(spec)
    sizes: dict[str, tuple[int, int]] = {}

    def measure(stage: str):
        def hook(_, inputs: tuple[torch.Tensor]) -> None:
            size = tuple(inputs[0].shape[-2:])
            sizes[stage] = max(sizes.get(stage, size), size)

        return hook

    # DCLS keeps the sizes of maps: the plain twin has the same, and shapes alone cost nothing.
    plain = zoo.skeleton(spec.model_copy(update={"dcls": None})).eval()
    for name in layers:
        plain.get_submodule(name).register_forward_pre_hook(measure(stage_of(name)))
    with torch.device("meta"), torch.no_grad():
        plain(torch.zeros(1, 3, spec.transform.crop, spec.transform.crop))
    return sizes


def offsets(positions: np.ndarray, version: str) -> np.ndarray:
    """Positions `P` (2, ...) as offsets (n, 2) from the kernel's centre: pixels right, down."""
    across, down = positions[::-1] if version == "v0" else positions
    return np.stack([across.ravel(), down.ravel()], -1)
