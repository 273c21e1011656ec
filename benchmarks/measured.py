"""What a script costs: its processor time and its peak memory."""

import os
import subprocess
import sys

# Linux counts what a process holds before it becomes the script as the script's peak, and that is
# what the benchmark holds itself. This process in between holds next to nothing.
_STARTER = """
import os, sys
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
print("\\n", status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


def measured(script: str, *arguments) -> tuple[float, float]:
    """Processor seconds of a Python script, and its peak resident set in MiB.

    It runs on one thread, and keeps what it compiles, as Python does by default. SystemExit with
    what it printed on standard error when it fails.
    """
    command = [sys.executable, "-I", "-S", "-c", _STARTER, sys.executable, script, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    shown = {"capture_output": True, "text": True}
    done = subprocess.run(list(map(str, command)), env=environment, check=True, **shown)
    status, seconds, peak = map(float, done.stdout.splitlines()[-1].split())
    if status:
        raise SystemExit(f"{script} failed: {done.stderr}")
    return seconds, peak
