"""A program `python` that starts with the large libraries imported, for runs of small studies.

To import torch, Matplotlib or Snakemake takes longer than what most of these processes do. A server
imports them once and forks for each process, which takes over the arguments, environment, folder,
streams and group of processes of the program and runs a script, or a module after `-m`, as Python
does. Modules of the project are not imported before. A signal to the program reaches the script,
and where the program is killed the script is. Timers of a script that has ended are not waited for.
Limits of resources are not taken over, and a library has read the environment on import: tests of
such settings use Python itself.
"""

import contextlib
import ctypes
import functools
import gc
import importlib
import marshal
import multiprocessing
import os
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

LIBRARIES = ["torch", "timm", "timm.data", "timm.utils", "safetensors.torch", "h5py", "simplejpeg"]
LIBRARIES += ["pandas", "pyarrow.parquet", "scipy.ndimage", "scipy.stats", "sklearn.datasets"]
LIBRARIES += ["matplotlib.pyplot", "matplotlib.backends.backend_pdf", "PIL.Image", "jinja2"]
LIBRARIES += ["requests", "huggingface_hub", "pydantic", "jsonschema", "yaml", "snakemake.cli"]
LIBRARIES += ["snakemake.report.html_reporter", "smart_open", "snakemake.profiles"]

# Only modules that are part of the interpreter: others would take longer than all the rest.
CLIENT = """\
import _signal, _socket, marshal, posix, sys
numbers = {{_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGUSR1}}
_signal.pthread_sigmask(_signal.SIG_BLOCK, numbers)
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({address!r})
def answer():
    return marshal.loads(server.recv(100) or sys.exit("the server of processes has ended"))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
job = marshal.dumps([sys.argv[1:], posix.getcwd(), posix.environ, posix.getpgrp()])
length = len(job).to_bytes(8, "big")
server.sendmsg([length], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(job)
script, group = answer()
if group:  # the script is in the group of this process: a signal to both reaches it once
    posix.setpgid(0, group)
for number in numbers:
    _signal.signal(number, lambda number, _: posix.kill(script, number))
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, numbers)
server.send(b"go")
code = answer()
if code < 0:
    if -code != _signal.SIGKILL:
        _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
sys.exit(code)
"""
# Large pages of memory, which are few: a fork copies the table of them.
LARGE_PAGES = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
PR_SET_PDEATHSIG = 1  # of Linux's prctl(2)
SHARED = "WARM_PYTHON"  # a variable of the environment: the program of another process of tests


@functools.cache
def program() -> Path:
    """The program, alone in a folder; its server ends with this process."""
    if SHARED in os.environ:
        return Path(os.environ[SHARED])
    folder = Path(tempfile.mkdtemp(prefix="python"))
    command = [sys.executable, __file__, str(folder)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    server = subprocess.Popen(command, env=os.environ | LARGE_PAGES, **streams)
    assert server.stdout.readline() == b"ready\n"
    return folder / "python"


def serve(folder: Path) -> None:
    """Write the program, and fork for each of its runs until the standard input ends."""
    address = str(folder / "socket")
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(address)
        listener.listen(64)
        client, program = folder / "client.py", folder / "python"
        client.write_text(CLIENT.format(address=address))
        words = [sys.executable, "-IS", str(client)]  # -IS: it needs no site, and starts sooner
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o755)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    shutil.rmtree(folder)
                    return
                if key.fileobj is listener:
                    import_libraries()
                    start(listener.accept()[0], selector)
                else:
                    key.data()


@functools.cache
def import_libraries() -> None:
    """Once, for the first job."""
    gc.disable()  # nothing of it is garbage
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # forks then share the memory of what is imported
    gc.enable()


def start(connection: socket.socket, selector: selectors.BaseSelector) -> None:
    """Fork for a program that has connected, unless it was killed before it had sent its job."""
    length, streams, *_ = socket.recv_fds(connection, 8, 3)
    size = int.from_bytes(length, "big")
    with connection.makefile("rb") as stream:
        message = stream.read(size)
    if size and len(message) == size:
        Job(connection, selector, streams, *marshal.loads(message))
    else:
        connection.close()
    for number in streams:
        os.close(number)


class Job:
    """A fork that runs what one run of the program is to run."""

    def __init__(
        self,
        connection: socket.socket,
        selector: selectors.BaseSelector,
        streams: list[int],
        arguments: list[str],
        folder: str,
        environment: dict[bytes, bytes],
        group: int,
    ):
        self.connection, self.selector = connection, selector
        held, self.release = os.pipe()
        job = (held, streams, arguments, folder, environment)
        self.process = multiprocessing.Process(target=run, args=job)
        self.process.start()
        try:
            os.setpgid(self.process.pid, group)
            ours = os.getpgrp()
        except PermissionError:  # the program is of a session of its own
            ours = None
        os.close(held)
        self.ended = os.pidfd_open(self.process.pid)
        selector.register(self.ended, selectors.EVENT_READ, self.end)
        selector.register(connection, selectors.EVENT_READ, self.hear)
        self.tell([self.process.pid, ours])

    def hear(self) -> None:
        """Let the fork begin, as the program is ready for signals; or the program was killed."""
        ready = b""
        with contextlib.suppress(OSError):  # it was killed, and has left what it was told unread
            ready = self.connection.recv(100)
        if ready:
            with contextlib.suppress(BrokenPipeError):  # the fork was killed before
                os.write(self.release, ready)
        else:
            self.end()

    def tell(self, said: object) -> None:
        """Send the program a message, if it is still there."""
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(marshal.dumps(said))

    def end(self) -> None:
        """Tell the program how its fork ended, or kill the fork of a program that was killed."""
        if self.connection.fileno() < 0:  # of both signs at once this is the second
            return
        self.process.kill()
        self.process.join()
        for sign in (self.ended, self.connection):
            self.selector.unregister(sign)
        self.tell(self.process.exitcode)
        for number in (self.ended, self.release):
            os.close(number)
        self.connection.close()


def run(
    held: int,
    streams: list[int],
    arguments: list[str],
    folder: str,
    environment: dict[bytes, bytes],
) -> None:
    """Run a script, or a module after -m, in this process; with -u first, unbuffered.

    held: a pipe; the script begins when something comes out of it.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # where the server ends so does it
    for number, stream in enumerate([*streams, held]):
        os.dup2(stream, number)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))  # the server's, whose other side would wait
    if not os.read(3, 100):
        os._exit(1)
    os.close(3)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run behind `&`
    sys.stdin = os.fdopen(0)  # which multiprocessing has closed
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(environment)
    tempfile.tempdir = None  # TMPDIR is read again
    if arguments[0] == "-u":
        sys.stdout.reconfigure(write_through=True)
        arguments = arguments[1:]
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).resolve().parent)
            runpy.run_path(arguments[0], run_name="__main__")
    finally:
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):  # Snakemake's, for which its end waits a second
                thread.cancel()


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    sys.dont_write_bytecode = False  # many processes import the same copy of the repository
    try:
        serve(Path(sys.argv[1]))
    except BaseException:
        traceback.print_exc()
    os._exit(0)  # at a usual end a library of torch's prints what it leaked
