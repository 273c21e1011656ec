"""The terminal of a run: a line a job, the time left, and errors with their log."""

import logging
import re

import pytest
from human_alignment.study.terminal import HANDLER, OneLineFormatter, shorten
from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent


class Terminal:
    """Snakemake's handler as it sets it up, a clock that stands still, and what is printed."""

    def __init__(self, tmp_path, **flags):
        self.time, self._path = 100.0, tmp_path / "terminal.txt"
        self.stream = self._path.open("w")
        handler = ColorizingTextHandler(nocolor=True, stream=self.stream)
        shown = {"quiet": None, "debug_dag": False, "verbose": False, "dryrun": False}
        handler.addFilter(DefaultFilter(**shown | {"printshellcmds": False} | flags))
        handler.setFormatter(DefaultFormatter(show_failed_logs=True))
        handler.name = HANDLER
        self.logger = logging.Logger("test")
        self.logger.addHandler(handler)
        shorten(self.logger)
        self.short = isinstance(handler.formatter, OneLineFormatter)
        if self.short:
            handler.formatter._clock = lambda: self.time
            handler.formatter._started = self.time

    def event(self, event, message=None, level=logging.INFO, **fields):
        self.logger.log(level, message, extra={"event": event, **fields})

    def begin(self, job, rule, **wildcards):
        block = dict.fromkeys(("input", "output", "log"), ["a path"]) | {"benchmark": "b"}
        block |= {"rule_msg": None, "local": True, "is_checkpoint": False, "reason": "missing"}
        block |= {"resources": {}, "priority": 0, "threads": 1, "indent": False}
        named = {"jobid": job, "rule_name": rule, "wildcards": wildcards}
        self.event(LogEvent.JOB_INFO, **block | named)

    def end(self, job, done, total):
        self.event(LogEvent.JOB_FINISHED, f"Finished jobid: {job}", job_id=job)
        self.event(LogEvent.PROGRESS, done=done, total=total)

    def lines(self):
        self.stream.flush()
        return self._path.read_text().splitlines()


@pytest.fixture
def terminal(tmp_path):
    return Terminal(tmp_path)


def test_a_line_a_job_with_its_count_its_time_and_the_time_left(terminal):
    stats = {"train_model": 2, "plot_figure1": 1, "total": 3}
    terminal.event(LogEvent.WORKFLOW_STARTED, "SNAKEMAKE")
    terminal.event(LogEvent.RUN_INFO, "Job stats:\nmany lines", stats=stats)
    terminal.begin(7, "train_model", model="resnet50", seed="0")
    terminal.event(LogEvent.SHELLCMD, "python train_model.py")
    terminal.time += 30
    terminal.end(7, 1, 3)
    terminal.begin(8, "train_model", model="resnet50_dcls", seed="0")
    terminal.time += 90
    terminal.end(8, 2, 3)
    terminal.begin(9, "plot_figure1", part=".rise", geometry="")
    terminal.time += 2
    terminal.end(9, 3, 3)
    first, *lines = terminal.lines()
    assert first.startswith("3 jobs; every command and path: .snakemake/log/")
    assert lines == [
        "[1/3]         30 s  train_model resnet50 0 (30 s); about 1 min 0 s left",
        "[2/3]    2 min 0 s  train_model resnet50_dcls 0 (1 min 30 s); about 1 min 0 s left",
        "[3/3]    2 min 2 s  plot_figure1 rise (2 s)",
    ]


def test_the_time_left_counts_the_jobs_that_run_side_by_side(terminal):
    terminal.event(LogEvent.RUN_INFO, "", stats={"train_model": 6, "total": 6})
    for job in (1, 2):
        terminal.begin(job, "train_model", model=f"m{job}")
    terminal.time += 60
    terminal.event(LogEvent.JOB_FINISHED, "", job_id=1)
    terminal.event(LogEvent.JOB_FINISHED, "", job_id=2)
    terminal.event(LogEvent.PROGRESS, done=2, total=6)
    assert terminal.lines()[1:] == [
        "[1/6]    1 min 0 s  train_model m1 (1 min 0 s)",
        "[2/6]    1 min 0 s  train_model m2 (1 min 0 s); about 2 min 0 s left",
    ]


def test_the_first_of_many_jobs_tells_no_time_left(terminal):
    terminal.event(
        LogEvent.RUN_INFO, "", stats={"prepare_digits": 1, "train_model": 19, "total": 20}
    )
    for job in (1, 2):
        terminal.begin(job, "prepare_digits" if job == 1 else "train_model")
        terminal.time += 60
        terminal.end(job, job, 20)
    assert ["left" in line for line in terminal.lines()[1:]] == [False, True]


def test_a_failed_job_is_named_with_its_log_and_may_run_again(terminal, tmp_path):
    log = tmp_path / "train.log"
    log.write_text("error: images: no such folder\n")
    terminal.event(LogEvent.RUN_INFO, "", stats={"train_model": 1, "total": 1})
    terminal.begin(1, "train_model", model="resnet50")
    failed = {"rule_name": "train_model", "jobid": 1, "log": [str(log)], "shellcmd": "python x"}
    failed |= {"rule_msg": "sbatch: no such partition", "aux": {"external_jobid": "17"}}
    terminal.event(LogEvent.JOB_ERROR, "Error in rule", logging.ERROR, **failed)
    terminal.begin(1, "train_model", model="resnet50")
    terminal.end(1, 1, 1)
    lines = terminal.lines()[1:]
    said = ["    message: sbatch: no such partition", "    external_jobid: 17"]
    assert lines[:4] == ["failed: train_model resnet50", *said, f"    log: {log}"]
    assert "error: images: no such folder" in lines and "python x" not in "\n".join(lines)
    assert lines[-1].startswith("[1/1]")


@pytest.mark.parametrize("quiet, lines", [("RULES", 2), ("PROGRESS", 0), ("ALL", 0)])
def test_quiet_runs_stay_quiet_and_go_on(tmp_path, quiet, lines):
    terminal = Terminal(tmp_path, quiet={Quietness[quiet]})
    terminal.event(LogEvent.RUN_INFO, "", stats={"train_model": 1, "total": 1})
    terminal.begin(1, "train_model", model="resnet50")
    terminal.end(1, 1, 1)
    terminal.event(LogEvent.JOB_FINISHED, "", job_id=99)  # which never began
    assert len(terminal.lines()) == lines


def test_routine_is_left_out_and_warnings_are_not(terminal):
    for message in ("Building DAG of jobs...", "Select jobs to execute...", None):
        terminal.logger.info(message)
    terminal.logger.info("Nothing to be done.")
    terminal.logger.warning("Using shell: a warning is shown whatever it begins with")
    assert [re.split("[.:]", line)[0] for line in terminal.lines()] == [
        "Nothing to be done",
        "Using shell",
    ]


@pytest.mark.parametrize("flag", ["dryrun", "verbose", "printshellcmds"])
def test_dry_runs_and_the_flags_for_more_keep_snakemakes_blocks(tmp_path, flag):
    terminal = Terminal(tmp_path, **{flag: True})
    terminal.begin(1, "train_model", model="resnet50")
    assert not terminal.short and "localrule train_model:" in terminal.lines()


def test_the_complete_log_and_a_logger_plugin_keep_their_format(tmp_path):
    logger = logging.Logger("test")
    for name in ("DefaultLogFileHandler", None):
        handler = logging.FileHandler(tmp_path / "a.log")
        handler.setFormatter(DefaultFormatter())
        handler.name = name
        logger.addHandler(handler)
    shorten(logger)
    assert {type(one.formatter) for one in logger.handlers} == {DefaultFormatter}
