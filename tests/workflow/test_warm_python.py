"""The program that starts with libraries imported runs a script as Python itself does."""

import subprocess
import sys

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


def test_a_script_killed_by_a_signal_has_failed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert subprocess.run([str(warm_python.program()), str(script)]).returncode == 128 + 9
