"""Damage a config at random: the outcome is a study or one clear error, never anything else."""

import copy
import json
import math

import yaml
from human_alignment.common.cli import UserError
from human_alignment.study.config import checked_study
from human_alignment.study.config_file import check_config_file
from human_alignment.study.study import Study
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=400,
    suppress_health_check=list(HealthCheck),
)
HUGE = [10**6, 10**9, 10**30, 2**63, -1, 0]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(HUGE),
    st.floats(),
    st.sampled_from([2.0, math.nan, math.inf, -math.inf, 1e308, 5e-324]),
    st.text(max_size=20),
    st.sampled_from(
        ["", "-x", "name\n", "a/../b", "\0", "\ud800", "x" * 5000, "https://", "http://[::1"]
        + ["file://", "https://h:p/", "~", "{x}", "/", "true", "1e-3", "timm:resnet50"]
    ),
    st.binary(max_size=4),
    st.dates(),
    st.sets(st.integers(), max_size=2),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.lists(st.lists(st.integers(-1, 100), max_size=2), max_size=3),
    st.dictionaries(
        st.one_of(st.text(max_size=4), st.integers(), st.none()), st.none(), max_size=2
    ),
)
KEYS = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.none(),
    st.booleans(),
    st.floats(),
    st.dates(),
    st.sampled_from(
        ["study", "note\n", "-study", "models", "resnet50", "resnet50_dcls", "x" * 300]
    ),
)


def holders(value):
    """All mappings and lists in a value that hold something, itself among them."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict | list) and value else []
    return found + [one for part in inner for one in holders(part)]


def damage(data, config):
    """One random change of a config, in place."""
    holder = data.draw(st.sampled_from(holders(config)))
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = data.draw(st.sampled_from(keys))
    match data.draw(st.sampled_from(["replace", "remove", "rename", "move", "add"])):
        case "remove":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[data.draw(KEYS)] = holder.pop(key)
        case "add" if isinstance(holder, dict):
            holder[data.draw(KEYS)] = data.draw(JUNK)
        case "move":
            holder[key] = copy.deepcopy(data.draw(st.sampled_from(holders(config))))
        case _:
            holder[key] = data.draw(JUNK)


def outcome(config, schema):
    """`study`, or the message of the one error."""
    try:
        study = checked_study(config, schema)
        assert isinstance(study, Study)
        # What the rules ask of every study.
        json.dumps([study.network(model).as_dict() for model in config["models"]])
        assert study.runs and study.extraction_flags("", None) and study.twins is not None
        json.dumps([config, study.note, study.protocol.as_dict()], allow_nan=False)
        return "study"
    except UserError as error:
        message = str(error)
        assert 0 < message.count("\n") < 25 and len(message) < 16_000
        message.encode()
        return message


@BOUNDED
@given(data=st.data())
def test_random_values_and_keys_give_a_study_or_one_error(configs, schema, data):
    config = copy.deepcopy(configs[data.draw(st.sampled_from(["paper", "demo"]))])
    for _ in range(data.draw(st.integers(1, 3))):
        damage(data, config)
    outcome(config, schema)


@BOUNDED
@given(data=st.data())
def test_random_text_gives_a_study_or_one_error(root, tmp_path, schema, data):
    source = data.draw(st.sampled_from(["config.yaml", "profiles/demo/study.yaml"]))
    lines = (root / source).read_bytes().splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["cut", "repeat", "remove", "insert", "swap"])):
            case "cut":
                lines[place] = lines[place][: data.draw(st.integers(0, len(lines[place])))]
            case "repeat":
                lines.insert(place, lines[place])
            case "remove" if len(lines) > 1:
                del lines[place]
            case "swap":
                lines[place], lines[-1] = lines[-1], lines[place]
            case _:
                lines.insert(place, data.draw(st.binary(max_size=8)) + b"\n")
    file = tmp_path / "study.yaml"
    file.write_bytes(b"".join(lines))
    try:
        check_config_file(file)
    except UserError as error:
        assert str(file) in str(error) and len(str(error)) < 2000
        return
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    outcome(config, schema)
