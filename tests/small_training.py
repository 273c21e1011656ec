"""A training of seconds: settings, and the script run on them."""

import json
from pathlib import Path

import numpy as np
import train_model
from PIL import Image
from safetensors.torch import load_file

SHORT = {
    "steps": 6,
    "batch_size": 8,
    "learning_rate": 0.008,
    "weight_decay": 0.05,
    "clip_norm": 1.0,
    "windows": [[3, [32]], [6, [48]]],
    "color_jitter": 0.1,
    "position_rate": 5,
}


def arguments(data, output: Path, model="micro_convnext_tiny_dcls", recipe=SHORT, seed=0) -> list:
    """Flags of train_model.py; the curve goes beside the weights."""
    given = ["--data", str(data), "--model", model, "--recipe", json.dumps(recipe)]
    given += ["--seed", str(seed), "--output", str(output), "--device", "cpu"]
    return [*given, "--curve", str(output.with_suffix(".csv"))]


def run(data, folder: Path, name="a", *more: str, **settings) -> tuple[Path, Path]:
    """Train; the paths of weights and curve."""
    output = folder / f"{name}.safetensors"
    train_model.main([*arguments(data, output, **settings), *more])
    return output, output.with_suffix(".csv")


def same_weights(one: Path, other: Path) -> bool:
    """Whether two weights files hold the same tensors, bit by bit."""
    a, b = load_file(one), load_file(other)
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


def write_folder(root: Path, classes=3, each=8, size=80) -> Path:
    """An image folder of coarse random pictures, one colour cast a class."""
    random = np.random.default_rng(0)
    for label in range(classes):
        folder = root / f"class{label}"
        folder.mkdir(parents=True)
        for i in range(each):
            pixels = random.integers(0, 160, (8, 8, 3), dtype=np.uint8)
            pixels[..., label % 3] += 90
            picture = Image.fromarray(pixels).resize((size, size - 10))
            picture.save(folder / f"{i}.{'jpg' if i % 2 else 'png'}")
    return root
