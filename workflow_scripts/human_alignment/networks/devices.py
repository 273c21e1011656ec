"""Where a script computes: on a graphics card of its own, or on the CPU."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import TextIO

import torch

_HELD: list[TextIO] = []  # a lock lasts as long as its file is open, at most as the process


def default_device() -> str:
    """`cuda` where torch sees a graphics card, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def own_card(device: str) -> str:
    """For `cuda` the first card that no other script of this user holds, as `cuda:1`, say.

    The card is held until this process ends. If all cards are held it is the first one, shared.
    Any other device, also one with its number, is returned as it is; so is `cuda` without a card.
    """
    count = torch.cuda.device_count() if device == "cuda" else 0
    for number in range(count):
        if _hold(str(torch.cuda.get_device_properties(number).uuid)):
            return f"cuda:{number}"
    return "cuda:0" if count else device


def _hold(card: str) -> bool:
    """Take the lock of a card, by its UUID: numbers depend on what a process is allowed to see."""
    name = f"human-alignment-{os.getuid()}-{card}.lock"
    file = open(Path(tempfile.gettempdir()) / name, "a")  # noqa: SIM115 (open as long as it is held)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _HELD.append(file)
    return True
