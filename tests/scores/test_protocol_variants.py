"""The protocols of a threshold sweep and of the sensitivity."""

import pytest
from human_alignment.common.cli import UserError
from human_alignment.scores.protocol import PAPER, RELEASED
from human_alignment.scores.protocol_variants import (
    ALL,
    changed_protocols,
    sweep_protocols,
    thresholds_argument,
)


def test_each_variant_differs_in_one_field():
    found = changed_protocols(RELEASED, PAPER, geometry=True, ceiling=True)
    assert set(found) == {
        "geometry", "resize", "normalisation", "below_threshold", "constant_maps",
        "divide_by_ceiling", ALL,
    }  # fmt: skip
    for name, protocol in found.items():
        mine, base = protocol.as_dict(), RELEASED.as_dict()
        changed = {field for field in mine if mine[field] != base[field]}
        assert changed == (set(found) - {ALL} if name == ALL else {name})


def test_without_the_other_geometry_neither_it_nor_all_fields_is_claimed():
    found = changed_protocols(RELEASED, PAPER, geometry=False, ceiling=True)
    assert {"geometry", ALL}.isdisjoint(found)
    same = PAPER.changed(geometry="crop")
    assert ALL in changed_protocols(RELEASED, same, geometry=False, ceiling=True)
    assert changed_protocols(PAPER, PAPER, geometry=True, ceiling=True) == {}


def test_the_other_layer_is_a_variant_where_there_are_maps_of_both():
    """Both presets agree in the layer; a protocol with all fields of the other keeps it."""
    found = changed_protocols(RELEASED, PAPER, geometry=True, ceiling=True, layer=True)
    assert list(found)[-2:] == [ALL, "layer"]
    assert found["layer"] == RELEASED.changed(layer="behind_norm")
    assert found[ALL] == PAPER and PAPER.layer == "before_norm"
    behind = RELEASED.changed(layer="behind_norm")
    found = changed_protocols(behind, PAPER, geometry=True, ceiling=True, layer=True)
    assert found["layer"] == RELEASED
    assert "layer" not in changed_protocols(behind, PAPER, geometry=True, ceiling=True)


def test_what_does_not_divide_is_no_variant():
    """Without a ceiling nothing is divided, whatever the protocols say."""
    found = changed_protocols(RELEASED, PAPER, geometry=True, ceiling=False)
    assert "divide_by_ceiling" not in found and found[ALL] == PAPER
    undivided = RELEASED.changed(divide_by_ceiling=False)
    assert changed_protocols(RELEASED, undivided, geometry=True, ceiling=False) == {}
    assert set(changed_protocols(RELEASED, undivided, geometry=True, ceiling=True)) == {
        "divide_by_ceiling",
        ALL,
    }
    agreed = changed_protocols(undivided, PAPER, geometry=True, ceiling=True)
    assert "divide_by_ceiling" not in agreed and ALL in agreed


def test_thresholds_are_sorted_and_checked():
    assert thresholds_argument("[0.6, 0, 0.3, 0.6]") == [0, 0.3, 0.6]
    for text in ("0.3", "[]", "[0.3, 1.2]", '["a"]', "[NaN]", "0.1 0.2"):
        with pytest.raises(UserError, match="is not a JSON list of numbers from 0 to 1"):
            thresholds_argument(text)


def test_a_sweep_changes_the_threshold_only():
    found = sweep_protocols(PAPER, [0, 0.3])
    assert found == {"0": PAPER.changed(threshold=0), "0.3": PAPER}
