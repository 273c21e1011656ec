"""The processes of one training: started by torchrun, or one alone.

Every rank holds the whole network and works on its share of each batch; torch averages gradients.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ..common.cli import UserError
from ..networks.devices import own_card


@dataclass(frozen=True)
class Ranks:
    """One process among `count`. Only rank 0 writes files and prints messages."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network to train: of several ranks, one that averages gradients."""
        if self.count == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, devices, gradient_as_bucket_view=True)

    def total(self, values: torch.Tensor) -> list[float]:
        """The sum over ranks of a few numbers, the same on every rank."""
        if self.count > 1:
            distributed.all_reduce(values)
        return values.tolist()

    def meet(self) -> None:
        """Wait until every rank is here."""
        if self.count > 1:
            distributed.barrier()


def on_this_node() -> int:
    """Ranks that share this node's cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


@contextlib.contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Join the other processes that torchrun started, if it did, until the block ends.

    device: `cpu` or `cuda`; each rank takes the graphics card of its number on its node;
    a process alone takes one that no other script holds.
    Raises UserError when a node has fewer cards than ranks.
    """
    count = int(os.environ.get("WORLD_SIZE", 1))
    local = int(os.environ.get("LOCAL_RANK", 0))
    chosen = torch.device(device)
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise UserError(
                f"rank {local} of this node has no graphics card: {torch.cuda.device_count()} seen"
            )
        chosen = torch.device(own_card(device) if count == 1 else f"{device}:{local}")
        torch.cuda.set_device(chosen)
    if count == 1:
        yield Ranks(device=chosen)
        return
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), count, chosen)
    finally:
        distributed.destroy_process_group()


def launch(gpus: int, nodes: int) -> None:
    """Replace this process by torchrun, with one rank for each graphics card of the job.

    gpus: graphics cards of all nodes together; 0 means one rank a node. On more than one node,
    SLURM's srun starts one torchrun on each node of the job.
    Returns, and does nothing, in a process that torchrun started, or when one process is enough.
    Raises UserError when this node has fewer cards.
    """
    seen = torch.cuda.device_count()
    if gpus > nodes * seen:
        raise UserError(
            f"{gpus} graphics cards on {nodes} nodes were requested; this node has {seen}"
        )
    if "RANK" in os.environ or max(gpus, nodes) == 1:
        return
    command = torchrun(gpus, nodes)
    os.execvp(command[0], command + sys.argv)


def torchrun(gpus: int, nodes: int) -> list[str]:
    """The command that starts a rank for each graphics card; a script and its flags follow.

    Raises UserError when the cards do not divide among the nodes.
    """
    if gpus % nodes:
        raise UserError(f"{gpus} graphics cards cannot be divided among {nodes} nodes")
    command = [sys.executable, "-m", "torch.distributed.run"]
    # torchrun passes these signals on to the ranks, which then save and end; see
    # checkpoint.Interruption.
    command += ["--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"]
    command += [f"--nproc-per-node={max(1, gpus // nodes)}"]
    if nodes == 1:
        return [*command, "--standalone"]
    command += [
        f"--nnodes={nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={socket.gethostname()}",
    ]
    command += [f"--rdzv-id={os.environ.get('SLURM_JOB_ID', 'training')}"]
    return ["srun", f"--ntasks={nodes}", "--ntasks-per-node=1", *command]
