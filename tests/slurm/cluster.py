"""A SLURM cluster on this machine: accounting, controller and two nodes, for as long as it is used.

Everything lies in one folder: own munge key and socket, own database, own ports, own logs.
"""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
PROGRAMS = {  # by Debian package
    "munge": ["munged"],
    "mariadb-server": ["mariadbd", "mariadb-install-db", "mariadb"],
    "slurmdbd": ["slurmdbd"],
    "slurmctld": ["slurmctld"],
    "slurmd": ["slurmd"],
    "slurm-client": ["sacct", "sacctmgr", "sbatch", "scancel", "scontrol", "sinfo", "squeue"],
}
PORTS = ("controller_port", "accounting_port", "database_port", "node1_port", "node2_port")


PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"  # where the daemons are


def missing_packages() -> list[str]:
    """Debian packages of which a program is not here."""
    return [
        package
        for package, names in PROGRAMS.items()
        if not all(shutil.which(name, path=PATH) for name in names)
    ]


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Cluster:
    """Starts the daemons on entering; on leaving ends them and every job.

    folder: an empty one, with a short path (its sockets have at most 107 characters).
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._daemons: dict[str, subprocess.Popen] = {}
        self.environment = os.environ | {
            "PATH": f"{folder / 'bin'}{os.pathsep}{PATH}",
            "SLURM_CONF": str(folder / "slurm.conf"),
        }

    def __enter__(self) -> "Cluster":
        try:
            self._configure()
            self._start_accounting()
            self._start_nodes()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(subprocess.SubprocessError):
            self.run("scancel", "--me")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
        for process in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def run(self, *command: str, limit: float = 30) -> str:
        """Output of a command of SLURM's. Raises subprocess.SubprocessError when it fails."""
        kind = {"env": self.environment, "capture_output": True, "text": True}
        try:
            return subprocess.run(command, check=True, timeout=limit, **kind).stdout
        except subprocess.CalledProcessError as error:
            error.add_note(error.stderr)
            raise

    def accounting(self) -> list[dict[str, str]]:
        """Every start of every job, in the order of their numbers: see `man sacct`."""
        fields = ["JobID", "State", "ReqMem", "NodeList", "AllocTRES", "Comment"]
        text = self.run(
            *("sacct", "--allocations", "--duplicates", "--noheader", "--parsable2"),
            f"--format={','.join(fields)}",
        )
        return [dict(zip(fields, line.split("|"), strict=True)) for line in text.splitlines()]

    def logs(self, lines: int = 15) -> str:
        """The ends of the daemons' logs."""
        return ends((self.folder / "log").iterdir(), lines)

    def wait(self, what: str, happened: Callable[[], bool], limit: float = 60) -> None:
        """Wait until `happened` is true; a command of SLURM's that fails is asked again.

        Raises AssertionError, with the logs' ends, after `limit` seconds or when a daemon ended.
        """
        until = time.monotonic() + limit
        while True:
            with contextlib.suppress(subprocess.SubprocessError):
                if happened():
                    return
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            assert not ended, f"while waiting for {what}: {ended} ended{self.logs()}"
            assert time.monotonic() < until, f"{what}: not in {limit:.0f} s{self.logs()}"
            time.sleep(0.2)

    def _configure(self) -> None:
        for name in ("bin", "log", "state", "spool/n1", "spool/n2"):
            (self.folder / name).mkdir(parents=True)
        host = socket.gethostname().split(".")[0]
        values = {"folder": self.folder, "host": host, "user": getpass.getuser()}
        values |= dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._port = values["database_port"]
        for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
            text = Template((HERE / name).read_text()).substitute(values)
            (self.folder / name).write_text(text)
        (self.folder / "slurmdbd.conf").chmod(0o600)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        # Inside a job the plugin takes SLURM_CONF away, because clusters keep it in /etc/slurm.
        wrapper = self.folder / "bin" / "srun"
        conf = self.environment["SLURM_CONF"]
        wrapper.write_text(
            f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun", path=PATH)} "$@"\n'
        )
        wrapper.chmod(0o755)

    def _start(self, name: str, *command: str) -> None:
        """Start a daemon that ends with this process, whatever ends it."""
        with open(self.folder / "log" / f"{name}.log", "w") as log:
            self._daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _start_accounting(self) -> None:
        folder = self.folder
        munge = folder / "munge.socket"
        self._start(
            *("munged", "munged", "--foreground", "--force", f"--socket={munge}"),
            *(f"--key-file={folder}/munge.key", f"--seed-file={folder}/munge.seed"),
            *(f"--pid-file={folder}/munge.pid", f"--log-file={folder}/log/munge.log"),
        )
        data = folder / "database"
        user = f"--user={getpass.getuser()}"
        self.run(
            *("mariadb-install-db", "--no-defaults", user, f"--datadir={data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
            limit=120,
        )
        self._start(
            *("mariadbd", "mariadbd", "--no-defaults", user, f"--datadir={data}"),
            *(f"--socket={folder}/database.socket", f"--port={self._port}"),
            *("--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M"),
            "--innodb-flush-log-at-trx-commit=0",
        )
        self.wait("munged", munge.exists)
        query = "".join(
            f"CREATE OR REPLACE USER slurm@'{host}' IDENTIFIED BY 'slurm';"
            f"GRANT ALL ON slurm.* TO slurm@'{host}';"
            for host in ("localhost", "127.0.0.1")
        )
        mariadb = ("mariadb", "--no-defaults", "--user=root", f"--socket={folder}/database.socket")
        self.wait("mariadbd", lambda: self.run(*mariadb, f"--execute={query}") == "")
        self._start("slurmdbd", "slurmdbd", "-D")
        self.wait("slurmdbd", lambda: bool(self.run("sacctmgr", "-i", "add", "cluster", "test")))
        self.run("sacctmgr", "-i", "add", "account", "study")
        self.run("sacctmgr", "-i", "add", "user", getpass.getuser(), "account=study")

    def _start_nodes(self) -> None:
        self._start("slurmctld", "slurmctld", "-D", "-c")
        for node in ("n1", "n2"):
            self._start(node, "slurmd", "-D", "-N", node)
        states = ("sinfo", "--Node", "--noheader", "--format=%T")
        self.wait("two idle nodes", lambda: self.run(*states).split() == ["idle", "idle"])

    def _processes(self) -> Iterable[int]:
        """Numbers of all processes that know this cluster: daemons, jobs, steps."""
        mark = f"SLURM_CONF={self.environment['SLURM_CONF']}\0".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes():
                    yield int(path.parent.name)


def ends(files: Iterable[Path], lines: int) -> str:
    """The last lines of each file, under its name."""
    return "".join(
        f"\n--- {file}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
        for file in sorted(files)
    )
