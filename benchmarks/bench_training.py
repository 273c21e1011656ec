"""What DCLS costs in training, and what our loop costs above a bare one.

    python benchmarks/bench_training.py --output training.csv

Three tables in one file; `seconds` is the median over rounds of this process's CPU time, which
other programs on the machine do not add to; on one thread it is the time alone on a core.

step   one training step (forward, backward, AdamW) of convnext_tiny with depthwise kernels 7x7,
       17x17 (the DCLS network baked: same shapes, ordinary weights, torch's gradients), with DCLS,
       the first and the last also as torch differentiates them, and with DCLS whose kernels the
       dcls package builds. In turn, round by round; `ratio` is to 7x7, the median of the rounds'
       ratios.
part   where a DCLS step goes: kernel construction (ours, the package's) and the depthwise
       convolutions (ours, torch's), forward and backward, each alone on the shapes of the network;
       `ratio` is to the DCLS step.
loop   a step of `training.Trainer`, and of a bare loop of timm's parts (`bare_loop`), from the same
       JPEG files through the same augmentation; `ratio` is our images per second over the bare
       loop's, the median of the rounds' ratios.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from DCLS.construct.modules import Dcls2d
from PIL import Image
from timm.data import Mixup, create_dataset, create_loader
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

from as_published import with_package_kernels
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.folders import ImageFolder
from human_alignment.networks import zoo
from human_alignment.networks.dcls import bake, dcls_layers, kernel
from human_alignment.networks.large_kernels import convolution, speed_up_training
from human_alignment.training.folder_batches import FolderBatches
from human_alignment.training.recipe import Recipe
from human_alignment.training.trainer import Trainer

AUGMENT = "rand-m7-mstd0.5-inc1"
Job = Callable[[], object]


def networks() -> dict[str, nn.Module]:
    """ConvNeXt-T with each kind of depthwise kernel."""

    def build(name: str) -> nn.Module:
        torch.manual_seed(0)
        return zoo.build(zoo.find(name)).to(memory_format=torch.channels_last)

    plain = build("convnext_tiny")
    speed_up_training(plain)  # as our trainer does
    return {
        "7x7": plain,
        "7x7, torch's gradients": build("convnext_tiny"),
        "17x17": bake(build("convnext_tiny_dcls")),
        "dcls": build("convnext_tiny_dcls"),
        "dcls, torch's gradients": with_torchs_gradients(build("convnext_tiny_dcls")),
        "dcls, package's kernels": with_package_kernels(build("convnext_tiny_dcls")),
    }


def with_torchs_gradients(model: nn.Module) -> nn.Module:
    """Let each DCLS layer convolve by `conv2d`; in place, returns the model."""
    for layer in dcls_layers(model).values():
        layer.forward = partial(Dcls2d.forward, layer)
    return model


def training_step(model: nn.Module, batch: int) -> Job:
    """Forward, backward and AdamW on one random batch."""
    optimizer = create_optimizer_v2(model, "adamw", lr=1e-4, weight_decay=0.05)
    inputs = torch.randn(batch, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.arange(batch)

    def job() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()

    return job


def parts(batch: int) -> dict[str, Job]:
    """Kernel construction and depthwise convolutions of the DCLS network, forward and backward."""
    model = zoo.build(zoo.find("convnext_tiny_dcls"))
    layers = dcls_layers(model)
    package = dcls_layers(with_package_kernels(zoo.build(zoo.find("convnext_tiny_dcls"))))
    sides = {"stages.0": 56, "stages.1": 28, "stages.2": 14, "stages.3": 7}
    cases = []
    for name, layer in layers.items():
        side, channels = sides[name[:8]], layer.in_channels
        maps = torch.randn(batch, channels, side, side).to(memory_format=torch.channels_last)
        dense = kernel(layer).detach()
        cases.append((maps.requires_grad_(), dense.requires_grad_(), layer.groups))

    def convolve(convolution: Callable) -> None:
        for maps, dense, groups in cases:
            convolution(maps, dense, None, (1, 1), (8, 8), groups=groups).sum().backward()

    return {
        "kernels": lambda: [kernel(m).sum().backward() for m in layers.values()],
        "kernels, package's": lambda: [
            m.DCK(m.weight, m.P, m.SIG).sum().backward() for m in package.values()
        ],
        "convolutions": lambda: convolve(convolution),
        "convolutions, torch's": lambda: convolve(nn.functional.conv2d),
    }


def write_pictures(folder: Path, count: int) -> Path:
    """JPEG pictures of 500 x 375 pixels, as ImageNet's are on average, in two classes."""
    random = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"class{i % 2}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    return folder


def bare_loop(folder: Path, name: str, batch: int) -> Iterator:
    """A training loop of timm's parts and nothing else; a step each time it is advanced."""
    spec = zoo.find(name)
    model = zoo.build(spec, drop_path=0.1).train().to(memory_format=torch.channels_last)
    loader = create_loader(
        create_dataset("", root=str(folder)),
        input_size=(3, spec.transform.crop, spec.transform.crop),
        batch_size=batch,
        is_training=True,
        use_prefetcher=False,
        auto_augment=AUGMENT,
        interpolation="bicubic",
        re_prob=0.25,
        re_mode="pixel",
        num_workers=0,
        persistent_workers=False,
    )
    mixup = Mixup(0.8, 1.0, label_smoothing=0.1, num_classes=spec.num_classes)
    criterion = SoftTargetCrossEntropy()
    optimizer = create_optimizer_v2(model, "adamw", lr=1e-4, weight_decay=0.05)
    while True:
        for inputs, labels in loader:
            inputs, targets = mixup(inputs.to(memory_format=torch.channels_last), labels)
            loss = criterion(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            yield


def our_loop(folder: Path, name: str, batch: int) -> Iterator:
    """The same settings through our trainer."""
    recipe = Recipe(
        steps=1000, batch_size=batch, learning_rate=1e-4, weight_decay=0.05, mixup=0.8, cutmix=1.0,
        label_smoothing=0.1, auto_augment=AUGMENT, random_erasing=0.25, drop_path=0.1,
    )  # fmt: skip
    spec = zoo.find(name)
    batches = FolderBatches(ImageFolder(folder), recipe, spec.transform, seed=0)
    trainer = Trainer(zoo.build(spec, recipe.drop_path), batches, recipe, spec.num_classes)
    pieces = trainer.pieces(0)
    for number in range(trainer.steps):
        trainer.step(number, pieces)
        yield


def measure(jobs: dict[str, Job], rounds: int) -> pd.DataFrame:
    """CPU seconds, a row per round and a column per job; one round before is not counted."""
    rows = []
    for _ in range(rounds + 1):
        row = {}
        for name, job in jobs.items():
            start = time.process_time()
            job()
            row[name] = time.process_time() - start
        rows.append(row)
    return pd.DataFrame(rows[1:])


def summary(table: str, batch: int, times: pd.DataFrame, ratios: pd.DataFrame) -> pd.DataFrame:
    """A row for each job: medians of seconds and of ratios, and the ratios' extremes."""
    return pd.DataFrame(
        {
            "table": table,
            "what": times.columns,
            "batch": batch,
            "seconds": times.median().values,
            "ratio": ratios.median().values,
            "ratio_low": ratios.min().values,
            "ratio_high": ratios.max().values,
            "rounds": len(times),
        }
    )


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", nargs="+", default=["step", "loop"])
    parser.add_argument("--loops", nargs="+", default=["convnext_tiny", "micro_convnext_tiny_dcls"])
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    batch, rounds, tables = arguments.batch, arguments.rounds, []
    if "step" in arguments.tables:
        jobs = {name: training_step(model, batch) for name, model in networks().items()}
        step = measure(jobs, rounds)
        tables.append(summary("step", batch, step, step.div(step["7x7"], axis=0)))
        part = measure(parts(batch), rounds)
        tables.append(summary("part", batch, part, part / step["dcls"].median()))
    if "loop" in arguments.tables:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), 4 * batch)
            for name in arguments.loops:
                loops = {f"bare loop, {name}": bare_loop, f"trainer, {name}": our_loop}
                made = {k: loop(Path(folder), name, batch) for k, loop in loops.items()}
                times = measure({k: (lambda m=m: next(m)) for k, m in made.items()}, 4 * rounds)
                bare = times.iloc[:, 0]
                tables.append(summary("loop", batch, times, times.rdiv(bare, axis=0)))
    table = pd.concat(tables)
    print(table.to_string(index=False, float_format="%.3f"))
    with written_whole(arguments.output) as partial:
        table.to_csv(partial, index=False, float_format="%.4g")


if __name__ == "__main__":
    run(main)
