"""The workflow on a study, in a copy of the repository and a folder to work in."""

import contextlib
import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import warm_python
import yaml

PARTS = [
    "Snakefile",
    "rules",
    "workflow_scripts",
    "schemas",
    "envs",
    "report",
    "profiles",
    "resources",
]
HOSTILE = "a b'$(touch hacked){y}"  # a folder's name that a careless command would take apart


class Workflow:
    """A copy of the repository, a working directory, and a study's config."""

    def __init__(self, root: Path, folder: Path):
        self.repository, self.work = folder / "repository", folder / "work"
        self.repository.mkdir(parents=True)
        self.work.mkdir()
        for part in [*PARTS, "config.yaml"]:
            copied = shutil.copytree if (root / part).is_dir() else shutil.copy
            copied(root / part, self.repository / part)
        self.config_file = folder / "study.yaml"

    def copied(self, folder: Path) -> "Workflow":
        """The same, with all files as they are, in another folder."""
        shutil.copytree(self.repository.parent, folder, symlinks=True)
        other = copy.copy(self)
        other.repository, other.work = folder / "repository", folder / "work"
        other.config_file = folder / "study.yaml"
        return other

    def write(self, config: dict) -> None:
        self.config_file.write_text(yaml.safe_dump(config, sort_keys=False))

    def start(
        self,
        *arguments: str,
        config: bool = True,
        warm: bool = True,
        warm_jobs: bool = True,
        **more,
    ) -> subprocess.Popen:
        """Start snakemake with this interpreter's environment; paths are the workflow's own.

        warm: run it by a Python that starts quickly (warm_python.py).  warm_jobs: the jobs' scripts
        too.  more: arguments of Popen.
        """
        python = warm_python.program() if warm else Path(sys.executable)
        command = [str(python), "-m", "snakemake", "--snakefile"]
        command += [str(self.repository / "Snakefile"), "--directory", str(self.work)]
        command += ["--cores", "2", "--nocolor", *arguments]
        command += ["--configfile", str(self.config_file)] if config else []
        folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
        folders = [str(python.parent), *folders] if warm_jobs else folders
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = os.environ | {"PATH": os.pathsep.join(folders)}
        return subprocess.Popen(command, env=environment, **pipes, **more)

    def snakemake(self, *arguments: str, **more) -> subprocess.CompletedProcess:
        """Run snakemake to its end; arguments are those of `start`."""
        with self.start(*arguments, **more) as process:
            output, error = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, error)

    def processes(self, script: str = "*.py") -> list[int]:
        """Numbers of the processes that now run a script of the workflow, by its name."""
        scripts, found = set(map(str, (self.repository / "workflow_scripts").glob(script))), []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                found += [int(entry.name)] if scripts.intersection(words[:4]) else []
        return found

    def planned(self, *arguments: str, config: bool = True) -> dict[str, int]:
        """Jobs by rule that would run now."""
        done = self.snakemake("--dry-run", *arguments, config=config)
        assert done.returncode == 0, done.stderr + done.stdout
        table = re.search(
            r"Job stats:\n.*?\n-+ .*?\n(.*?)\ntotal ", done.stderr + done.stdout, re.S
        )
        rows = (line.split() for line in table[1].splitlines()) if table else []
        return {name: int(count) for name, count in rows if name != "all"}
