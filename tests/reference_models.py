"""The public code's networks as reference: ten tiny ones with their outputs, sixteen layouts."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from human_alignment.data.input_transform import InputTransform
from human_alignment.networks.checkpoints import convert
from human_alignment.networks.records import Dcls, Network, load_networks
from human_alignment.networks.weights import load_strictly
from human_alignment.networks.zoo import build

FAMILIES = ("resnet50", "convnext", "caformer", "convformer", "fastvit")
REFERENCE = [name for name in load_networks() if not name.startswith("micro_")]
TINY = [family + suffix for family in FAMILIES for suffix in ("", "_dcls")]
RULES = {"resnet50": "3x3", "fastvit": "depthwise_7x7"}


@dataclass
class Tiny:
    """A network of the public code: its record here, its state dict there, what it computes."""

    spec: Network
    state: dict[str, torch.Tensor]
    arrays: dict[str, torch.Tensor]

    def load(self):
        """The network built here with the reference's weights, evaluation mode."""
        model = build(self.spec)
        load_strictly(model, convert(self.state, model, self.spec, "reference"), "reference")
        return model.eval().requires_grad_(False)


def _json(dataset):
    return json.loads(dataset[:].tobytes())


def read_tiny(data_dir: Path, name: str) -> Tiny:
    """One of TINY. Maps and features come as (n, h, w) and (n, c, h, w)."""
    plain = name.removesuffix("_dcls")
    with h5py.File(data_dir / "tiny" / "tiny.h5") as file:
        group = file[name]
        state, start, values = {}, 0, torch.from_numpy(group["values"][:])
        for key, shape in _json(group["names"]):
            size = int(np.prod(shape))
            state[key] = values[start : start + size].reshape(shape)
            start += size
        for key, count in _json(group["counters"]).items() if "counters" in group else ():
            state[key] = torch.tensor(count)
        for first, *others in json.loads(group.attrs["shared"]):
            state.update(dict.fromkeys(others, state[first]))
        arrays = {k: torch.from_numpy(group[k][()]) for k in group if group[k].dtype != np.uint8}
        arrays["x"] = torch.from_numpy(file[plain]["x"][:])
        arguments, given = json.loads(group.attrs["arguments"]), json.loads(group.attrs["dcls"])
    if "former" in plain:  # the public code keeps channels last
        arrays |= {k: arrays[k].permute(0, 3, 1, 2) for k in ("A", "dA")}
    dcls = given and Dcls(
        kernel_size=given["dilated_kernel_size"],
        kernel_count=given["kernel_count"],
        version=given["version"],
        replaces=RULES.get(plain, "depthwise"),
    )
    network = Network(
        family=plain.removesuffix("50"),
        arguments=arguments,
        transform=InputTransform(resize=64, crop=64),
        dcls=dcls,
        num_classes=10,
    )
    return Tiny(network, state, arrays)


def read_layouts(data_dir: Path) -> dict[str, dict]:
    """Per full-size model: `wrapper` key, number of `parameters`, `shared` groups of names, and
    `state`, a list of [name, shape, type] in the order of the file."""
    with gzip.open(data_dir / "layouts" / "layouts.json.gz") as stream:
        return json.load(stream)
