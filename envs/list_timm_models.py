"""Write the names of all models of the installed timm, one a line, where a config is checked.

Snakemake's own environment has no timm, and a mistyped name should end a study before any job.
Names that timm still builds but no longer lists are among them.
"""

from pathlib import Path

import timm
from timm.models import _registry

FILE = Path(__file__).parents[1] / "workflow_scripts/human_alignment/networks/timm_models.txt"


def names() -> list[str]:
    """Every name that `timm.create_model` takes, without the tags of pretrained weights."""
    return sorted({*timm.list_models(), *_registry._deprecated_models})


if __name__ == "__main__":
    partial = FILE.with_suffix(".partial")
    partial.write_text("\n".join(names()) + "\n")
    partial.replace(FILE)
