"""Sweep timm's classifiers: is the last feature map found, and does it give a heatmap?

Takes a random sample of the models timm lists with ImageNet-1k weights, one or more of each
model family, at random weights and the smallest input each allows. Writes a row per model:
`ok` and the layer found, or the reason why not.
"""

import argparse
import csv
import random
import sys
from pathlib import Path

import timm
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))

from human_alignment.common.cli import progress
from human_alignment.heatmaps.explainers import explain
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks.generic import channels_first, find_feature_layer


def sample(seed: int, per_family: int, largest: int) -> list[str]:
    """Model names: up to `per_family` of each family, with at most `largest` parameters."""
    chooser = random.Random(seed)
    names = sorted({name.split(".")[0] for name in timm.list_models("*.*in1k*", pretrained=True)})
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(timm.models.model_entrypoint(name).__module__, []).append(name)
    chosen = []
    for members in families.values():
        chooser.shuffle(members)
        small = (name for name in members if parameters(name) <= largest)
        chosen += [name for name, _ in zip(small, range(per_family), strict=False)]
    return sorted(chosen)


def parameters(name: str) -> int:
    """Number of parameters, without allocating them."""
    with torch.device("meta"):
        return sum(p.numel() for p in timm.create_model(name).parameters())


def try_one(name: str) -> tuple[str, int, str]:
    """(layer, side of the input, "ok" or the reason) of one model."""
    torch.manual_seed(0)
    native = timm.get_pretrained_cfg(name).input_size[-1]
    reason = ""
    for size in (64, 128, native):
        model = timm.create_model(name, num_classes=10).eval().requires_grad_(False)
        for parameter in model.parameters():
            if not parameter.any():  # heads and last norms that start at zero hide everything
                parameter.normal_(0, 0.1)
        try:
            layer = find_feature_layer(model, size)
            module, inputs = model.get_submodule(layer), torch.randn(1, 3, size, size)
            arrange = channels_first(model)
            found = differentiate_head(model, module, inputs, torch.tensor([1]), arrange)
            (heatmap,) = explain(["threshold_grad_cam"], found.activation, found.gradient).values()
            if not heatmap.isfinite().all():
                reason = "the heatmap is not finite"
            elif heatmap.numel() < 4 or heatmap.std() == 0:
                reason = f"the heatmap of shape {tuple(heatmap.shape[1:])} is constant"
            else:
                return layer, size, "ok"
        except Exception as error:  # whatever a model of timm raises at a size it does not take
            reason = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
    return "", native, reason


def main() -> None:
    """Sweep, write, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", required=True, type=Path, help="table to write (.csv)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-family", type=int, default=2)
    parser.add_argument("--largest", type=float, default=30e6, help="parameters at most")
    arguments = parser.parse_args()
    names = sample(arguments.seed, arguments.per_family, int(arguments.largest))
    rows = []
    with open(arguments.output, "w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["model", "layer", "input", "result"])
        for name in progress(names, len(names), "timm", "model"):
            rows.append((name, *try_one(name)))
            writer.writerow(rows[-1])
            stream.flush()
    good = sum(row[-1] == "ok" for row in rows)
    print(f"{good} of {len(rows)} models give a heatmap")
    for name, _, _, reason in rows:
        if reason != "ok":
            print(f"  {name}: {reason}")


if __name__ == "__main__":
    main()
