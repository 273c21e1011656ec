from human_alignment.common.geometry import GEOMETRIES, canonical


def test_the_old_word_has_a_new_name():
    assert canonical("released") == "crop"


def test_names_of_today_stay():
    assert [canonical(name) for name in GEOMETRIES] == ["crop", "full"]
