import argparse

import pytest
from human_alignment.common.arguments import json_object


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
