"""A program `python` that starts with the large libraries imported, for runs of small studies.

To import torch, Matplotlib or Snakemake takes longer than what most of these processes do. A server
imports them once and forks for each process, which takes over the arguments, environment, folder,
streams and group of processes of the program and runs a script, or a module after `-m`, as Python
does. Modules of the project are not imported before. A signal to the program reaches the script,
and where the program is killed the script is. Limits of resources are not taken over, and a library
has read the environment on import: tests of such settings use Python itself.
"""

import contextlib
import functools
import gc
import importlib
import json
import multiprocessing
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARIES = ["torch", "timm", "timm.data", "timm.utils", "safetensors.torch", "h5py", "simplejpeg"]
LIBRARIES += ["pandas", "pyarrow.parquet", "scipy.ndimage", "scipy.stats", "sklearn.datasets"]
LIBRARIES += ["matplotlib.pyplot", "matplotlib.backends.backend_pdf", "PIL.Image", "jinja2"]
LIBRARIES += ["requests", "huggingface_hub", "pydantic", "jsonschema", "yaml", "snakemake.cli"]

CLIENT = """\
import json, os, signal, socket, sys
numbers = {{getattr(signal, "SIG" + name) for name in "HUP INT QUIT TERM USR1 USR2".split()}}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    job = [sys.argv[1:], os.getcwd(), dict(os.environ), os.getpgrp()]
    job = json.dumps(job).encode()
    socket.send_fds(server, [len(job).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(job)
    script, group = json.loads(server.recv(100) or sys.exit("the server of processes has ended"))
    if group:  # the script is in the group of this process: a signal to both reaches it once
        os.setpgid(0, group)
    for number in numbers:
        signal.signal(number, lambda number, _: os.kill(script, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    code = int(server.recv(100) or sys.exit("the server of processes has ended"))
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@functools.cache
def program() -> Path:
    """The program, alone in a folder; its server ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="python"))
    command = [sys.executable, __file__, str(folder)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"
    return folder / "python"


def serve(folder: Path) -> None:
    """Write the program, and fork for each of its runs until the standard input ends."""
    address = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        client, program = folder / "client.py", folder / "python"
        client.write_text(CLIENT.format(address=address))
        words = [sys.executable, "-IS", str(client)]  # -IS: it needs no site, and starts sooner
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o755)
        print("ready", flush=True)
        while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                multiprocessing.Process(target=answer, args=(connection,)).start()
    shutil.rmtree(folder)


def answer(connection: socket.socket) -> None:
    """Fork once more for what the program is to run, and tell it how that ended."""
    length, streams, *_ = socket.recv_fds(connection, 8, 3)
    with connection.makefile("rb") as stream:
        *job, group = json.loads(stream.read(int.from_bytes(length, "big")))
    process = multiprocessing.Process(target=run, args=(streams, *job))
    process.start()
    try:
        os.setpgid(process.pid, group)
        ours = os.getpgrp()
    except PermissionError:  # the program is of a session of its own
        ours = None
    for number in streams:
        os.close(number)
    ended = os.pidfd_open(process.pid)
    with contextlib.suppress(BrokenPipeError):  # the program was killed
        connection.sendall(json.dumps([process.pid, ours]).encode())
        if ended not in select.select([ended, connection], [], [])[0]:
            process.kill()
        process.join()
        connection.sendall(str(process.exitcode).encode())
    process.kill()


def run(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a script, or a module after -m, in this process; with -u first, unbuffered."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind `&`
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0)  # which multiprocessing has closed
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if arguments[0] == "-u":
        sys.stdout.reconfigure(write_through=True)
        arguments = arguments[1:]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    sys.dont_write_bytecode = False  # many processes import the same copy of the repository
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # forks then share the memory of what is imported
    serve(Path(sys.argv[1]))
    os._exit(0)  # at a usual end a library of torch's prints what it leaked
