"""One line a job on the terminal, in place of Snakemake's block of eight lines or more.

    [ 12/188]  1 min 32 s  train_model resnet50_dcls seed0 (24 s); about 4 min left

The complete log that Snakemake keeps in `.snakemake/log/` stays as it is, and so does the terminal
with one of Snakemake's flags `--printshellcmds` and `--verbose`.
"""

import logging
import time
from collections import Counter

from snakemake.logging import DefaultFilter, DefaultFormatter, show_logs
from snakemake_interface_logger_plugins.common import LogEvent

from .closing import duration

HANDLER = "DefaultStreamHandler"  # as Snakemake calls it; a logger plugin stands in its place
_SILENT = {LogEvent.WORKFLOW_STARTED, LogEvent.RESOURCES_INFO, LogEvent.SHELLCMD}
_SILENT |= {LogEvent.JOB_STARTED, LogEvent.JOB_INFO, LogEvent.JOB_FINISHED}
_ROUTINE = (  # of messages without an event, what says nothing of this run
    "Building DAG of jobs", "Select jobs to execute", "Using shell", "Using profile",
    "Assuming unrestricted", "Conda environments: ignored", "Singularity containers: ignored",
    "Complete log", "Elapsed time", "Removing temporary output",
)  # fmt: skip
_ELSEWHERE = "every command and path: .snakemake/log/, or here with --printshellcmds"


def shorten(logger: logging.Logger) -> None:
    """Make `OneLineFormatter` the filter and formatter of the logger's terminal handler.

    Not in a dry run, which is asked for its blocks, and not with the flags named above.
    """
    for handler in logger.handlers:
        if handler.name != HANDLER or not isinstance(handler.formatter, DefaultFormatter):
            continue
        shown = next((one for one in handler.filters if isinstance(one, DefaultFilter)), None)
        if shown and not (shown.dryrun or shown.verbose or shown.printshellcmds):
            short = OneLineFormatter(handler.formatter)
            handler.addFilter(short)
            handler.setFormatter(short)


class OneLineFormatter(logging.Formatter):
    """Formats Snakemake's events: a line when a job ends, none when it begins.

    As a filter it keeps back what has no line. Snakemake's handler would print an empty one.
    """

    def __init__(self, usual: DefaultFormatter, clock=time.monotonic):  # noqa: ANN001
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
        if event == LogEvent.JOB_INFO:
            what = " ".join([record.rule_name, *map(str, record.wildcards.values())])
            self._running[record.jobid] = record.rule_name, what, self._clock()
        elif event == LogEvent.JOB_FINISHED:
            self._end(record.job_id)
        elif event is None and record.levelno <= logging.INFO:
            return not str(record.msg or "").strip().startswith(_ROUTINE)
        return event not in _SILENT

    def format(self, record: logging.LogRecord) -> str:
        """The lines of an event."""
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            stats = dict(getattr(record, "stats", {}))
            self._left = Counter(stats)
            self._left.pop("total", None)
            return f"{stats.get('total', 0)} jobs; {_ELSEWHERE}"
        if event == LogEvent.PROGRESS:
            return self._progress(record.done, record.total)
        if event == LogEvent.JOB_ERROR:
            return self._error(record)
        return self._usual.format(record).strip("\n")

    def _end(self, job: int) -> None:
        rule, what, begin = self._running.pop(job)
        seconds = self._clock() - begin
        self._seconds[rule] += seconds
        self._jobs[rule] += 1
        self._left[rule] -= 1
        self._ended.append(f"{what} ({duration(seconds)})")

    def _progress(self, done: int, total: int) -> str:
        """A line for each job that has ended since the last one; the last says the time left."""
        width, elapsed = len(str(total)), duration(self._clock() - self._started)
        first = done - len(self._ended) + 1
        lines = [
            f"[{number:>{width}}/{total}] {elapsed:>12}  {text}"
            for number, text in enumerate(self._ended, first)
        ]
        self._ended = []
        if lines and done < total:
            lines[-1] += f"; about {duration(self._remaining())} left"
        return "\n".join(lines)

    def _remaining(self) -> float:
        """Seconds until the end, if jobs go on to take what those of their rule took so far.

        A rule of which no job has ended counts as the mean job. As many jobs run side by side as
        have run until now on average.
        """
        mean = self._seconds.total() / self._jobs.total()
        work = sum(
            max(0, count) * (self._seconds[rule] / self._jobs[rule] if self._jobs[rule] else mean)
            for rule, count in self._left.items()
        )
        under_way = sum(self._clock() - begin for _, _, begin in self._running.values())
        side_by_side = (self._seconds.total() + under_way) / (self._clock() - self._started + 1e-9)
        return max(0.0, work - under_way) / max(1.0, side_by_side)

    def _error(self, record: logging.LogRecord) -> str:
        """Which job failed, its log, and where the command is."""
        _, what, _ = self._running.pop(record.jobid, ("", record.rule_name, 0))
        logs = list(record.log or [])
        lines = [f"failed: {what}", *(f"    log: {path}" for path in logs)]
        lines += list(show_logs(logs)) if self._usual.show_failed_logs else []
        return "\n".join([*lines, f"    {_ELSEWHERE}"])
