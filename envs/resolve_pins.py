"""Resolve the `.in` lists together and write the closed, exact lists as conda environments.

They are resolved in one go so that they can live in one virtual environment (`make env`).
Conda brings Python and pip only: the DCLS authors publish on PyPI, and Snakemake never reads the
`pip:` part of explicit conda lock files.
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
HEADER = """\
# {purpose} Written by `make pins` from {name}.in.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11.9
  - pip=24.0
  - pip:
"""
PURPOSE = {
    "human_alignment": "The environment of every rule.",
    "workflow": "The environment that runs Snakemake; what the rules' own Python imports.",
    "tests": "What the tests need beside the other two.",
    "docs": "What builds the site of documentation.",
}


def resolve(*arguments: str) -> list[str]:
    """Pins, `name==version` each, of uv's resolver."""
    command = ["uv", "pip", "compile", "-q", "--no-annotate", "--no-header"]
    command += ["--python-version", "3.11", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=FOLDER)
    return [line.split(" ;")[0].strip() for line in done.stdout.splitlines() if "==" in line]


def main() -> None:
    """Write the environment files."""
    names = list(PURPOSE)
    together = resolve(*(f"{name}.in" for name in names))
    constraints = FOLDER / ".together.txt"
    constraints.write_text("\n".join(together) + "\n")
    try:
        for name in names:
            pins = resolve(f"{name}.in", "-c", constraints.name)
            text = HEADER.format(purpose=PURPOSE[name], name=name)
            text += "".join(f"      - {pin}\n" for pin in pins)
            (FOLDER / f"{name}.yaml").write_text(text)
            print(f"{name}.yaml: {len(pins)} pins", file=sys.stderr)
    finally:
        constraints.unlink()


if __name__ == "__main__":
    main()
