"""One line a job on the terminal, in place of Snakemake's block of eight lines or more.

    [ 12/188]  1 min 32 s  train_model resnet50_dcls seed0 (24 s); about 4 min left

The complete log that Snakemake keeps in `.snakemake/log/` stays as it is, and so does the terminal
with one of Snakemake's flags `--printshellcmds` and `--verbose`.
"""

import logging
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .closing import duration

HANDLER = "DefaultStreamHandler"  # as Snakemake calls it; a logger plugin stands in its place
# Words of Snakemake's `LogEvent`.
_SILENT = {"workflow_started", "resources_info", "shellcmd"}
_SILENT |= {"job_started", "job_info", "job_finished"}
_ROUTINE = (  # of messages without an event, what says nothing of this run
    "Building DAG of jobs", "Select jobs to execute", "Using shell", "Using profile",
    "Assuming unrestricted", "Conda environments: ignored", "Singularity containers: ignored",
    "Complete log", "Elapsed time", "Removing temporary output",
)  # fmt: skip
EARLY = 0.1  # share of the jobs that must have ended before the time left is told
_RULE = "=" * 80
_ELSEWHERE = "every command and path: .snakemake/log/, or here with --printshellcmds"


def shorten(logger: logging.Logger) -> None:
    """Make `OneLineFormatter` the filter and formatter of the logger's terminal handler.

    Not in a dry run, which is asked for its blocks, and not with the flags named above.
    """
    for handler in logger.handlers:
        if handler.name != HANDLER or isinstance(handler.formatter, OneLineFormatter):
            continue
        shown = next((one for one in handler.filters if hasattr(one, "printshellcmds")), None)
        if shown and not (shown.dryrun or shown.verbose or shown.printshellcmds):
            short = OneLineFormatter(handler.formatter)
            handler.filters.insert(0, short)  # before --quiet, which may drop what it counts
            handler.setFormatter(short)


class OneLineFormatter(logging.Formatter):
    """Formats Snakemake's events: a line when a job ends, none when it begins.

    As a filter it keeps back what has no line. Snakemake's handler would print an empty one.
    """

    def __init__(self, usual: logging.Formatter, clock=time.monotonic):  # noqa: ANN001
        """usual: Snakemake's own formatter, for everything else."""
        super().__init__()
        self._usual, self._clock, self._started = usual, clock, clock()
        self._running: dict[int, tuple[str, str, float]] = {}  # by id: rule, what, begin
        self._ended: list[str] = []  # lines of jobs that wait for the count of the next event
        self._left: Counter[str] = Counter()  # jobs of each rule that have not ended
        self._seconds: Counter[str] = Counter()  # of the ended jobs, by rule
        self._jobs: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the event has a line; notes which jobs begin and end."""
        event = getattr(record, "event", None)
        if event == "job_info":
            named = (str(value).lstrip(".") for value in record.wildcards.values())
            what = " ".join([record.rule_name, *filter(None, named)])
            self._running[record.jobid] = record.rule_name, what, self._clock()
        elif event == "job_finished":
            self._end(record.job_id)
        elif event is None and record.levelno <= logging.INFO:
            return not str(record.msg or "").strip().startswith(_ROUTINE)
        return event not in _SILENT

    def format(self, record: logging.LogRecord) -> str:
        """The lines of an event."""
        event = getattr(record, "event", None)
        if event == "run_info":
            stats = dict(getattr(record, "stats", {}))
            self._left = Counter(stats)
            self._left.pop("total", None)
            return f"{stats.get('total', 0)} jobs; {_ELSEWHERE}"
        if event == "progress":
            return self._progress(record.done, record.total)
        if event == "job_error":
            return self._error(record)
        return self._usual.format(record).strip("\n")

    def _end(self, job: int) -> None:
        rule, what, begin = self._running.pop(job, ("", f"job {job}", self._clock()))
        seconds = self._clock() - begin
        self._seconds[rule] += seconds
        self._jobs[rule] += 1
        self._left[rule] -= 1
        self._ended.append(f"{what} ({duration(seconds)})")

    def _progress(self, done: int, total: int) -> str:
        """A line for each job that has ended since the last one; the last says the time left.

        The first jobs say little of what the others take: no time left before EARLY of them ended.
        """
        width, elapsed = len(str(total)), duration(self._clock() - self._started)
        first = done - len(self._ended) + 1
        lines = [
            f"[{number:>{width}}/{total}] {elapsed:>12}  {text}"
            for number, text in enumerate(self._ended, first)
        ]
        self._ended = []
        if lines and EARLY * total <= done < total:
            lines[-1] += f"; about {duration(self._remaining())} left"
        return "\n".join(lines)

    def _remaining(self) -> float:
        """Seconds until the end, if jobs go on to take what those of their rule took so far.

        A job of a rule of which none has ended counts as that of the median rule. As many jobs run
        side by side as have run until now on average.
        """
        means = {rule: self._seconds[rule] / count for rule, count in self._jobs.items()}
        unknown = statistics.median(means.values())
        work = sum(max(0, n) * means.get(rule, unknown) for rule, n in self._left.items())
        under_way = sum(self._clock() - begin for _, _, begin in self._running.values())
        side_by_side = (self._seconds.total() + under_way) / (self._clock() - self._started + 1e-9)
        return max(0.0, work - under_way) / max(1.0, side_by_side)

    def _error(self, record: logging.LogRecord) -> str:
        """Which job failed, what the executor says of it, its log, and where the command is."""
        _, what, _ = self._running.pop(record.jobid, ("", record.rule_name, 0))
        logs = list(record.log or [])
        lines = [f"failed: {what}"]
        lines += [f"    message: {record.rule_msg}"] if getattr(record, "rule_msg", None) else []
        lines += [f"    {key}: {value}" for key, value in getattr(record, "aux", {}).items()]
        lines += [f"    log: {path}" for path in logs]
        if self._usual.show_failed_logs:
            lines += [line for path in logs for line in _text(Path(path))]
        return "\n".join([*lines, f"    {_ELSEWHERE}"])


def _text(log: Path) -> Iterator[str]:
    """The lines of a log, between two rules; none without a log."""
    if log.is_file():
        yield _RULE
        yield from log.read_text(errors="replace").splitlines()
        yield _RULE
