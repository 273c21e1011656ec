"""List the models and the pretrained weights of the installed timm, where a config is checked.

Snakemake's own environment has no timm, and a mistyped name, or a network that cannot be explained,
should end a study before any job. timm_models.txt has the names of all models, one a line; names
that timm still builds but no longer lists are among them. timm_weights.csv has a row for each
pretrained tag; for its last column every network is built without storage (ten minutes).
"""

import csv
import io
import sys
import warnings
from pathlib import Path

import timm
import torch
from timm.models import _registry

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))

from human_alignment.common.cli import UserError, progress
from human_alignment.common.files import written_whole
from human_alignment.networks.generic import channels_first, find_feature_layer
from human_alignment.networks.records import TIMM_MODELS
from human_alignment.networks.timm_weights import COLUMNS, FILE


def names() -> list[str]:
    """Every name that `timm.create_model` takes, without the tags of pretrained weights."""
    return sorted({*timm.list_models(), *_registry._deprecated_models})


def weights() -> list[dict]:
    """The columns of timm_weights.csv that timm's registry gives, a row for each pretrained tag."""
    rows = []
    for name in timm.list_pretrained():
        model = name.partition(".")[0]
        found, first = timm.get_pretrained_cfg(name), timm.get_pretrained_cfg(model)
        row = {"name": name, "repository": found.hf_hub_id or "", "size": found.input_size[-1]}
        rows.append(row | {"classes": found.num_classes, "default": int(found.tag == first.tag)})
    return rows


def missing_map(model: str) -> str:
    """Why a network has no map to explain, in a few words; empty if it has one.

    The network is built without storage, so that only shapes are looked at: the last feature map
    is found, has a gradient of the logit, and is at least 2 x 2.
    """
    size = timm.get_pretrained_cfg(model).input_size[-1]
    try:
        with torch.device("meta"), warnings.catch_warnings(action="ignore"):
            network = timm.create_model(model, num_classes=10).eval().requires_grad_(False)
            layer = network.get_submodule(find_feature_layer(network, size))
            shape = _shape_of_map(network, layer, torch.zeros(1, 3, size, size))
    except UserError:
        return "its last feature map is not found"
    except Exception as error:  # whatever a model of timm raises where its map is not spatial
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return f"its last feature map cannot be used ({reason[:100]})"
    if min(shape) < 2:
        return f"its last feature map has {shape[0]} x {shape[1]} positions"
    return ""


def _shape_of_map(
    network: torch.nn.Module, layer: torch.nn.Module, inputs: torch.Tensor
) -> torch.Size:
    """Height and width of the map; raises where it has no gradient, or is not spatial."""
    kept = []

    def record(_module, _inputs, output):
        torch.set_grad_enabled(True)
        kept.append(output.detach().requires_grad_())
        return kept[0]

    handle = layer.register_forward_hook(record)
    with torch.no_grad():
        torch.autograd.grad(network(inputs)[0, 0], kept[0])
    handle.remove()
    return channels_first(network)(kept[0].detach()).shape[2:]


def main() -> None:
    """Write both lists."""
    with written_whole(TIMM_MODELS) as partial:
        partial.write_text("\n".join(names()) + "\n")
    rows = weights()
    models = sorted({row["name"].partition(".")[0] for row in rows})
    bar = progress(models, len(models), "timm", "model")
    reasons = {model: missing_map(model) for model in bar}
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"no_map": reasons[row["name"].partition(".")[0]]} for row in rows)
    with written_whole(FILE) as partial:
        partial.write_text(stream.getvalue())


if __name__ == "__main__":
    main()
