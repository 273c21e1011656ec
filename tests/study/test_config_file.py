"""The text of a config file: what no reader of YAML tells."""

import pytest
from human_alignment.common.cli import UserError
from human_alignment.study.config_file import check_config_file


def problem(tmp_path, text):
    file = tmp_path / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        check_config_file(file)
    message = str(caught.value)
    assert message.startswith(f"the config file {file} ") and message.count("\n") <= 10
    return message


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: 1\nb: 2\na: 3\n", "top level: the key 'a' stands twice, in lines 1 and 3; keep one"),
        ("m:\n  x: {b: 1, 'b': 2}\n", "m.x: the key 'b' stands twice, in lines 2 and 2; keep one"),
        ("m:\n- {b: 1}\n- b: 1\n  b: 2\n", "m.1: the key 'b' stands twice, in lines 3 and 4"),
        ('{"a": 1,\n\t"a": 2}', "top level: the key 'a' stands twice, in lines 1 and 2"),
        ("1: x\n1: y\n", "top level: the key '1' stands twice, in lines 1 and 2"),
        ("a: &x {b: 1, b: 2}\nc: *x\nd: *x\n", "a: the key 'b' stands twice, in lines 1 and 1"),
        ("? [a, b]\n: 1\n", "line 1: a key must be text"),
        ("a: [1\nb: 2\n", "is no YAML at line 2: "),
        ("a: b: c\n", "is no YAML at line 1: mapping values are not allowed here"),
        ("", "holds no keys; it begins like `study: my_study`"),
        ("# nothing\n", "holds no keys"),
        ("- a\n- b\n", "holds no keys"),
        ("demo", "holds no keys"),
        (b"study: caf\xe9\n", "is not UTF-8 (byte 10); save it as UTF-8"),
        (b"a: \x00\n", "is no YAML"),
        ("a: 1\n---\nb: 2\n", "is no YAML at line 2: but found another document"),
        ("a: &x {b: [*x]}\n", "a.b.0: an anchor that holds itself"),
        ("a: " + "9" * 4500, "a: a number of more than 4,000 digits"),
        ("[" * 5000, "is nested too deeply"),
    ],
)
def test_each_problem_is_told_with_its_line(tmp_path, text, message):
    assert message in problem(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="none.yaml cannot be read: No such file"):
        check_config_file(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        check_config_file(tmp_path)


def test_merges_and_aliases_are_allowed(root, tmp_path):
    for file in ("config.yaml", "profiles/demo/study.yaml"):
        check_config_file(root / file)
    (tmp_path / "a.yaml").write_text("a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: [*x, *x]\n<<: *x\n")
    check_config_file(tmp_path / "a.yaml")
