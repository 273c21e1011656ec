"""A program `python` that starts with the large libraries imported, for runs of small studies.

To import torch, Matplotlib or Snakemake takes longer than what most of these processes do. A server
imports them once and forks for each process, which takes over the arguments, environment, folder
and streams of the program and runs a script, or a module after `-m`, as Python does. Modules of the
project are not imported before. A signal to the program does not reach the script, and a library
has read the environment on import: tests of kills and of such settings use Python itself.
"""

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
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    job = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(job).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(job)
    answer = server.recv(1)
sys.exit(answer[0] if answer else "the server of Python's processes has ended")
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
        job = json.loads(stream.read(int.from_bytes(length, "big")))
    process = multiprocessing.Process(target=run, args=(streams, *job))
    process.start()
    process.join()
    code = process.exitcode
    connection.sendall(bytes([code if code >= 0 else 128 - code]))


def run(streams: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a script, or a module after -m, in this process."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0)  # which multiprocessing has closed
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
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
