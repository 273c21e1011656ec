import pytest
from human_alignment.common.cli import UserError
from human_alignment.common.records import Record, checked
from pydantic import Field


class Wheel(Record):
    """A record inside another."""

    size: int = Field(gt=0, description="a positive number")


class Car(Record):
    """A record with one field of each kind."""

    name: str
    kind: str = "small"
    speed: float = 1.0
    fast: bool = False
    wheel: Wheel | None = None


def test_a_good_record_and_its_defaults():
    car = checked(Car, "car", {"name": "a", "wheel": {"size": 3}})
    assert (car.name, car.kind, car.wheel.size) == ("a", "small", 3)


@pytest.mark.parametrize(
    "values, message",
    [
        ({}, "car: the key 'name' is missing; required: name"),
        (
            {"name": "a", "sped": 2},
            "car: unknown key 'sped' .did you mean 'speed'..; allowed: ",
        ),
        ({"name": "a", "speed": "1e-3"}, "speed is '1e-3'; .*; YAML reads 1e-3 as text, write"),
        ({"name": "a", "speed": "fast"}, "speed is 'fast'; allowed: float$"),
        ({"name": "a", "speed": float("inf")}, "speed is inf"),
        ({"name": "a", "speed": True}, "speed is True"),
        ({"name": "a", "fast": 1}, "fast is 1; allowed: true or false"),
        ({"name": 3}, "name is 3"),
        ({"name": "a", "wheel": {"size": 0}}, "wheel.size is 0; allowed: a positive number$"),
        ({"name": "a", "wheel": {"siz": 1}}, "unknown key 'wheel.siz'.*; allowed: size"),
        ({"name": "a", "wheel": {}}, "the key 'wheel.size' is missing; required: size"),
        ({"name": "a", "wheel": 3}, "wheel is 3"),
    ],
)
def test_a_bad_record_is_refused_in_one_line(values, message):
    with pytest.raises(UserError, match=message) as caught:
        checked(Car, "car", values)
    assert "\n" not in str(caught.value)


def test_a_record_cannot_change():
    car = checked(Car, "car", {"name": "a"})
    with pytest.raises(ValueError, match="frozen"):
        car.name = "b"
