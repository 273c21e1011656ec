"""Speed of the heatmap engine, side by side in one run.

    python benchmarks/bench_heatmaps.py --output heatmaps.csv --plot heatmaps.png

Full-size networks with random weights. Methods take turns, round by round, on the same batch and
threads; a rate is that of the median round, a ratio the median of the rounds' ratios, so that a
machine that slows down for a while slows both sides. Methods:

plain        forward pass of the prepared network (DCLS baked, FastViT merged), eager, float32,
             as torch lays it out: what all are measured against (column `relative`)
channels_last  the same with the channels last, as the engine runs it
all_cams     the engine: every explainer from one forward pass
compiled     the same with the body through torch.compile (with --compiled)
two_passes   the authors' way: network as loaded (DCLS not baked), a full forward and backward pass
             for Grad-CAM and another for Threshold-Grad-CAM
their_one    pytorch-grad-cam, network as loaded: Grad-CAM
their_two    the same, Grad-CAM and HiResCAM
script       what extract_heatmaps.py does once torch is imported, from reading the weights to the
             finished file of --images images; in turn with `plain` on as many
"""

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import simplejpeg
import torch
from matplotlib import pyplot as plt
from pytorch_grad_cam import GradCAM, HiResCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow_scripts"))

import extract_heatmaps
from as_published import with_package_kernels
from human_alignment.common.cli import run
from human_alignment.common.files import written_whole
from human_alignment.data.data_file import DataWriter
from human_alignment.heatmaps.explainers import EXPLAINERS, explain
from human_alignment.heatmaps.extraction import compile_body
from human_alignment.heatmaps.features import differentiate_head
from human_alignment.networks import zoo
from human_alignment.networks.generic import channels_first
from human_alignment.networks.records import Network
from human_alignment.networks.weights import save_weights

MODELS = ["resnet50", "convnext_tiny", "convnext_tiny_dcls", "caformer_s18_dcls",
          "fastvit_sa24_dcls"]  # fmt: skip
DRAWN = {  # methods of the plot and their colours, Okabe and Ito's
    "two_passes": "#E69F00", "their_two": "#D55E00", "all_cams": "#0072B2",
    "compiled": "#56B4E9", "script": "#009E73",
}  # fmt: skip
Job = Callable[[], object]


def forward(model: nn.Module, inputs: torch.Tensor) -> Job:
    """Plain inference."""
    return lambda: torch.no_grad()(model)(inputs)


def engine(model: nn.Module, spec: Network, inputs: torch.Tensor) -> Job:
    """Ours: all explainers."""
    layer, arrange = zoo.feature_layer(model, spec), channels_first(model)
    target = torch.arange(len(inputs))

    def job() -> None:
        found = differentiate_head(model, layer, inputs, target, arrange)
        explain(list(EXPLAINERS), found.activation, found.gradient)

    return job


def pytorch_grad_cam(model: nn.Module, layer: nn.Module, inputs: torch.Tensor, cams: list) -> Job:
    """A pass of the library per method, its objects made beforehand."""
    arrange = channels_first(model)
    objects = [cam(model=model, target_layers=[layer], reshape_transform=arrange) for cam in cams]
    targets = [ClassifierOutputTarget(c) for c in range(len(inputs))]

    def job() -> None:
        for cam in objects:
            cam(input_tensor=inputs, targets=targets)

    return job


def two_passes(model: nn.Module, layer: nn.Module, inputs: torch.Tensor) -> Job:
    """Forward and backward through the whole network, once per method."""
    arrange = channels_first(model)

    def job() -> None:
        for name in ("grad_cam", "threshold_grad_cam"):
            kept: list[torch.Tensor] = []
            hook = layer.register_forward_hook(lambda _m, _i, out, kept=kept: kept.append(out))
            logits = model(inputs)
            hook.remove()
            kept[0].retain_grad()
            logits.diagonal().sum().backward()
            explain([name], arrange(kept[0].detach()), arrange(kept[0].grad))
            model.zero_grad(set_to_none=True)

    return job


def methods(name: str, batch: int, compiled: bool) -> dict[str, Job]:
    """Every method on one random batch of a network."""
    spec = zoo.find(name)
    torch.manual_seed(0)
    loaded = with_package_kernels(zoo.build(spec)).eval()
    fast = zoo.prepare_for_inference(copy.deepcopy(loaded))
    plain = copy.deepcopy(fast).to(memory_format=torch.contiguous_format)
    inputs = torch.randn(batch, 3, spec.transform.crop, spec.transform.crop)
    last = inputs.to(memory_format=torch.channels_last)
    layer = zoo.feature_layer(loaded, spec)
    theirs = copy.deepcopy(loaded)  # the library leaves its hooks in the network
    jobs = {
        "plain": forward(plain, inputs),
        "channels_last": forward(fast, last),
        "all_cams": engine(fast, spec, last),
        "two_passes": two_passes(loaded, layer, inputs),
    }
    for key, cams in {"their_one": [GradCAM], "their_two": [GradCAM, HiResCAM]}.items():
        theirs = copy.deepcopy(theirs)
        jobs[key] = pytorch_grad_cam(theirs, zoo.feature_layer(theirs, spec), inputs, cams)
    if compiled:
        body = copy.deepcopy(fast)
        compile_body(body, zoo.feature_layer(body, spec))
        jobs["compiled"] = engine(body, spec, last)
    return jobs


def script_and_plain(name: str, images: int, batch: int, folder: Path) -> dict[str, Job]:
    """The whole script on a data file of JPEG-like pictures, and plain inference of as many."""
    random = np.random.default_rng(0)
    data = folder / f"{images}.h5"
    if not data.exists():
        attributes = dict(dataset="noise", description="", num_classes=1000, image_size=224)
        with DataWriter(data, **attributes) as writer:
            for i in range(images):
                coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                picture = simplejpeg.encode_jpeg(coarse.repeat(16, 0).repeat(16, 1))
                human = random.random((64, 64), np.float32)
                writer.append(picture, i % 1000, f"{i:05d}", human)
    spec = zoo.find(name)
    torch.manual_seed(0)
    model = zoo.build(spec)
    save_weights(folder / f"{name}.safetensors", model, spec)
    plain = zoo.prepare_for_inference(model).to(memory_format=torch.contiguous_format)
    pass_ = forward(plain, torch.randn(batch, 3, spec.transform.crop, spec.transform.crop))
    arguments = f"--data {data} --weights {folder / name}.safetensors --output {folder / name}.h5 "
    arguments += f"--batch-size {batch} --threads {torch.get_num_threads()}"
    command = [*arguments.split(), "--explainers", *EXPLAINERS]
    return {
        "plain": lambda: [pass_() for _ in range(images // batch)],
        "script": lambda: extract_heatmaps.main(command),
    }


def measure(jobs: dict[str, Job], rounds: int, warm_up: bool) -> pd.DataFrame:
    """Seconds, a row per round and a column per method."""
    if warm_up:
        for job in jobs.values():
            job()
    rows = []
    for _ in range(rounds):
        row = {}
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            row[name] = time.perf_counter() - start
        rows.append(row)
    return pd.DataFrame(rows)


def summary(model: str, times: pd.DataFrame, images: int) -> list[dict]:
    """Rate and ratios of each method."""
    return [
        {
            "model": model,
            "method": name,
            "images_per_second": images / times[name].median(),
            "relative": (times["plain"] / times[name]).median(),
            "cams_against_this": (times[name] / times["all_cams"]).median()
            if "all_cams" in times
            else None,
            "rounds": len(times),
        }
        for name in times
    ]


def plot(table: pd.DataFrame, path: str) -> None:
    """Bars of each method relative to plain inference, a group per network."""
    wide = table.pivot(index="model", columns="method", values="relative")
    shown = [name for name in DRAWN if name in wide]
    axes = wide.loc[list(dict.fromkeys(table["model"])), shown].plot.barh(
        figsize=(6, 4.5), width=0.8, color=[DRAWN[name] for name in shown]
    )
    axes.invert_yaxis()
    axes.axvline(1, color="0.3", linewidth=0.8)
    axes.set(xlabel="images per second, relative to plain inference (log scale)", ylabel="")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="upper center", ncols=3,
                bbox_to_anchor=(0.4, 1.15))  # fmt: skip
    with written_whole(path) as partial:
        plt.savefig(partial, dpi=150, bbox_inches="tight")


def main(argv: list[str] | None = None) -> None:
    """Measure every network, print and write the table, draw it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=512, help="of the whole script")
    parser.add_argument("--script-rounds", type=int, default=2)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--output", required=True, help="table to write (.csv)")
    parser.add_argument("--plot", help="figure to draw")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    rows: list[dict] = []
    for name in arguments.models:
        jobs = methods(name, arguments.batch, arguments.compiled)
        rows += summary(name, measure(jobs, arguments.rounds, True), arguments.batch)
        del jobs  # several copies of the network
        with tempfile.TemporaryDirectory() as folder:
            jobs = script_and_plain(name, arguments.images, arguments.batch, Path(folder))
            times = measure(jobs, arguments.script_rounds, False)
            rows.append(summary(name, times, arguments.images)[1])
        table = pd.DataFrame(rows)
        print(table[table["model"] == name].to_string(index=False, float_format="%.2f"), flush=True)
        with written_whole(arguments.output) as partial:
            table.to_csv(partial, index=False, float_format="%.4g")
    if arguments.plot:
        plot(table, arguments.plot)


if __name__ == "__main__":
    run(main)
