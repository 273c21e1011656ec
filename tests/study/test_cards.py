"""Graphics cards that a job asks for, and how many this machine has."""

import copy

import pytest
from human_alignment.common.cli import UserError
from human_alignment.study.cards import count_cards
from human_alignment.study.config import check_config
from human_alignment.study.study import Study

TWO = """#!/bin/sh
test "$1" = -L || exit 2
echo 'GPU 0: NVIDIA H100 (UUID: GPU-1)'
echo '  MIG 1g.10gb Device 0: (UUID: MIG-1)'
echo 'GPU 1: NVIDIA H100 (UUID: GPU-2)'
"""
NO_DRIVER = "#!/bin/sh\necho 'NVIDIA-SMI has failed: no driver'\nexit 9\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Put a stand-in for NVIDIA's program on the path; without text there is none."""

    def set_up(text):
        monkeypatch.setenv("PATH", str(tmp_path))
        if text:
            program = tmp_path / "nvidia-smi"
            program.write_text(text)
            program.chmod(0o755)

    return set_up


@pytest.mark.parametrize("text, count", [(TWO, 2), (NO_DRIVER, 0), (None, 0), ("no program", 0)])
def test_cards_are_those_that_the_driver_lists(machine, text, count):
    machine(text)
    assert count_cards() == count


def study_with(schema, configs, **sections):
    config = copy.deepcopy(configs["demo"]) | sections
    check_config(config, schema)
    return Study(config)


@pytest.mark.parametrize(
    "text, gpu, asked", [(TWO, "auto", 1), (None, "auto", 0), (TWO, 0, 0), (None, 1, 1)]
)
def test_a_job_asks_for_a_card_where_there_is_one_or_as_the_config_says(
    schema, configs, machine, text, gpu, asked
):
    machine(text)
    assert study_with(schema, configs, gpu=gpu).gpus_of_a_job == asked


def test_without_the_key_this_machine_decides(schema, configs, machine):
    machine(TWO)
    assert study_with(schema, configs).gpus_of_a_job == 1


@pytest.mark.parametrize("gpu", [True, 2, "yes"])
def test_another_number_of_cards_is_refused(schema, configs, gpu):
    with pytest.raises(UserError, match=f"gpu: '?{gpu}'? is not known.*; allowed: auto, 0, 1"):
        study_with(schema, configs, gpu=gpu)
