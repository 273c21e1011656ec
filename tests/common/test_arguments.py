import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
from human_alignment.common import arguments
from human_alignment.common.arguments import cores, json_object


def test_a_json_object_is_parsed():
    assert json_object('{"threshold": 0.2, "lines": [[1, 2]]}') == {
        "threshold": 0.2,
        "lines": [[1, 2]],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("released", "not valid JSON"),
        ("[1]", "expected a JSON object, got list"),
        ("1", "expected a JSON object, got int"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        json_object(text)


def test_cores_are_those_that_the_process_may_use():
    text = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    text += "from human_alignment.common.arguments import cores; print(cores())"
    folder = Path(arguments.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
    assert cores() == len(os.sched_getaffinity(0))
