"""Learned DCLS positions, read from a weights file: what only the figure of them needs."""

from pathlib import Path

import numpy as np
from safetensors import safe_open

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


def offsets(positions: np.ndarray, version: str) -> np.ndarray:
    """Positions `P` (2, ...) as offsets (n, 2) from the kernel's centre: pixels right, down."""
    across, down = positions[::-1] if version == "v0" else positions
    return np.stack([across.ravel(), down.ravel()], -1)
