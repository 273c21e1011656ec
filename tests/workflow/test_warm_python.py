"""The program that starts with libraries imported runs a script as Python itself does."""

import marshal
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import warm_python

SCRIPT = """
import json, os, sys
import beside

print(json.dumps([__name__, sys.argv[1:], os.getcwd(), os.environ.get("ONLY_HERE"), sys.path[0]]))
print(beside.__file__, sys.stdin.read(), file=sys.stderr)
{end}
"""


def ended(python, script, end, folder):
    """How a script ends that says what it was given: exit code, output and error."""
    script.write_text(SCRIPT.format(end=end))
    command = [str(python), str(script), "one", "t w {o}"]
    environment = {"ONLY_HERE": "x"}
    more = {"input": "read", "capture_output": True, "text": True}
    done = subprocess.run(command, cwd=folder, env=environment, **more)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "sys.exit('a reason')", "raise OSError(5)"])
def test_a_script_ends_as_in_python(tmp_path, end):
    (tmp_path / "beside.py").touch()
    (tmp_path / "work").mkdir()
    both = [
        ended(python, tmp_path / "script.py", end, tmp_path / "work")
        for python in (sys.executable, warm_python.program())
    ]
    (code, output, error), (warm_code, warm_output, warm_error) = both
    assert (warm_code, warm_output) == (code, output)
    assert warm_error.splitlines()[0] == error.splitlines()[0]
    assert warm_error.splitlines()[-1] == error.splitlines()[-1]


def test_libraries_are_imported_and_no_module_of_the_project(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(*sys.modules)")
    command = [str(warm_python.program()), str(script)]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {"torch", "snakemake.cli", "matplotlib.pyplot"} <= set(names)
    assert [name for name in names if name.startswith("human_alignment")] == []


JOB = marshal.dumps([["-m", "platform"], "/", dict(os.environb), 0])
LENGTH = len(JOB).to_bytes(8, "big")
SENT = {"nothing": b"", "length": LENGTH, "half": LENGTH + JOB[:20], "all": LENGTH + JOB}


@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
def test_the_server_outlives_a_program_that_is_killed_at_any_moment(sent):
    """What it has sent until then, and it has not read the answer."""
    python = warm_python.program()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(python.with_name("socket")))
    if sent:
        socket.send_fds(connection, [sent[:8]], [0, 1, 2])
        connection.sendall(sent[8:])
    if sent == LENGTH + JOB:
        assert select.select([connection], [], [], 20)[0]
    connection.close()
    for _ in range(2):  # the first may be answered before the server sees that the other was killed
        assert subprocess.run([str(python), "-m", "platform"], timeout=60).returncode == 0


SERVE = """
import multiprocessing, pathlib, sys, warm_python
multiprocessing.set_start_method("fork")
warm_python.LIBRARIES = []
warm_python.serve(pathlib.Path(sys.argv[1]))
"""


def test_programs_of_a_server_that_ends_say_so(tmp_path):
    """Neither they nor their scripts wait for it."""
    tests = Path(warm_python.__file__).parent
    command = [sys.executable, "-c", SERVE, str(tmp_path)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tests, **streams) as server:
        assert server.stdout.readline() == b"ready\n"
        script = tmp_path / "script.py"
        script.write_text("import os, signal, sys, time\n" + SLEEP)
        with subprocess.Popen([str(tmp_path / "python"), str(script)], **more) as program:
            assert program.stdout.readline() == "started\n"
            server.kill()
            assert "the server of processes has ended" in program.communicate(timeout=20)[1]
    done = subprocess.run([str(tmp_path / "python"), str(script)], **more, timeout=20)
    assert done.returncode == 1 and "ConnectionRefusedError" in done.stderr


def started(tmp_path, code, **more):
    """A script that has printed a word, run by the program."""
    script = tmp_path / "script.py"
    script.write_text("import os, signal, sys, time\n" + code)
    command = [str(warm_python.program()), str(script)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    assert process.stdout.readline() == "started\n"
    return process


SLEEP = """
print("started", flush=True)
time.sleep(60)
"""
TELL = """
def tell(number, _):
    print("got", number, flush=True)
    caught.append(number)
caught = []
signal.signal(signal.SIGTERM, tell)
print("started", flush=True)
while not caught:
    time.sleep(0.01)
time.sleep(0.2)
sys.exit(len(caught) + 6)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_script_that_a_signal_ended_ends_the_program_alike(tmp_path, number):
    script = tmp_path / "script.py"
    script.write_text(f"import os\nos.kill(os.getpid(), {int(number)})")
    assert subprocess.run([str(warm_python.program()), str(script)]).returncode == -number


@pytest.mark.parametrize("group", [{}, {"process_group": 0}, {"start_new_session": True}])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_signal_reaches_the_script_once(tmp_path, send, group):
    if send is os.killpg and not group:
        group = {"process_group": 0}  # not the group of this process
    process = started(tmp_path, TELL, **group)
    send(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (7, "got 15\n")


def test_the_keyboards_signal_interrupts(tmp_path):
    process = started(tmp_path, SLEEP, stderr=subprocess.PIPE)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode != 0 and "KeyboardInterrupt" in error


@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_a_killed_program_takes_its_script_along(tmp_path, send):
    """Its output ends, which the script held."""
    process = started(tmp_path, SLEEP, process_group=0)
    send(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
