"""Names in paths: which network and run a file of a study is of."""

from pathlib import Path

SUFFIX = "_dcls"


def network_of(path: Path) -> dict:
    """model (without suffix), dcls (0 or 1) and run of `<folder>/<model>/<run>.<anything>`."""
    name = path.parent.name
    run = path.name.split(".")[0]
    return {"model": name.removesuffix(SUFFIX), "dcls": int(name.endswith(SUFFIX)), "run": run}
