"""The note on a lock names the command that removes it."""

from human_alignment.study.locks import LOCKS, lock_note


def test_the_note_repeats_the_command(tmp_path):
    assert lock_note(["-n"], tmp_path) == ""
    (tmp_path / LOCKS).mkdir(parents=True)
    assert lock_note(["-n"], tmp_path) == ""
    (tmp_path / LOCKS / "0.output.lock").touch()
    given = ["--cores", "2", "--configfile", "my study.yaml"]
    note = lock_note(given, tmp_path)
    assert "\n  snakemake --cores 2 --configfile 'my study.yaml' --unlock\n" in note


def test_commands_that_do_not_look_at_the_lock_get_no_note(tmp_path):
    (tmp_path / LOCKS).mkdir(parents=True)
    (tmp_path / LOCKS / "0.output.lock").touch()
    for option in ("--unlock", "--nolock"):
        assert lock_note(["--cores", "2", option], tmp_path) == ""
