"""Which network and run a file of a study is of: in paths, and back from them.

Everything of one run is at `results/<study>/<stage>/<model>/<run><ending>`, where `run` is
`published` or `seed<N>` and `ending` begins with a dot.
"""

from pathlib import Path
from typing import NamedTuple

SUFFIX = "_dcls"  # ends the name of a reference network with DCLS


class Run(NamedTuple):
    """One run of one network."""

    model: str
    run: str

    @classmethod
    def of(cls, path: Path | str) -> "Run":
        """The run that a file is of, by its path."""
        path = Path(path)
        return cls(path.parent.name, path.name.split(".")[0])

    def file(self, study: str, stage: str, ending: str) -> str:
        """Path of one of the run's files. stage: `weights`, `heatmaps`, `scores` or `pictures`."""
        return f"results/{study}/{stage}/{self.model}/{self.run}{ending}"

    def __str__(self) -> str:
        """The run as messages name it: `<model>/<run>`."""
        return f"{self.model}/{self.run}"
