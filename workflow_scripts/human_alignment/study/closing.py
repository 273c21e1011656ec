"""The closing lines of a run: what was written, where, how long it took, what was left out.

They are read from the files in results/ and logs/, with the standard library only.
"""

import csv
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from .made_from import json_file

PARTIAL = "--config partial=true makes the tables and figures of the others"
_LISTED = 4  # names in a line; it counts the others


def closing_lines(
    study: str,
    runs: list[str],
    state: str,
    started: float,
    folder: Path | str = ".",
    stale: Collection[str] = (),
    parts: Collection[str] = ("",),
    not_made: Mapping[str, str] | None = None,
) -> list[str]:
    """Lines to print when a run ends.

    runs: `<model>/<run>` of every network the study should have.  state: how the run ended.
    started: seconds since the epoch.  folder: holds `results/` and `logs/`.  stale: those of the
    runs whose scores on disk do not count, because the config says something else now.  parts:
    what follows a run in the names of its score files; the first is that of all images.  not_made:
    by each figure or page that cannot apply to the study, the reason.
    """
    results, logs = Path(folder) / "results" / study, Path(folder) / "logs" / study
    scores = {run: {} if run in stale else _counts(results / "scores" / run, parts) for run in runs}
    missing = [run for run, found in scores.items() if not found]
    lines = [f"Study {study}: {state} after {duration(time.time() - started)}"]
    about = {
        "written": _written(results, started),
        "job time": _job_time(logs, started),
        "scored": _scored(scores),
        "missing": f"no current scores of {listed(missing)}; see {logs}" if missing else "",
        "without": f"them: {PARTIAL}" if 0 < len(missing) < len(runs) else "",
        "left out": _left_out(results, scores),
        "not made": _not_made(not_made or {}),
        "to read": ", ".join(str(path) for path in _pages(results)),
    }
    return lines + [f"  {name:<9} {text}" for name, text in about.items() if text]


def duration(seconds: float) -> str:
    """Seconds in the two largest units that matter."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _counts(run: Path, parts: Collection[str]) -> dict[str, dict]:
    """On how many images each explainer of a run is scored, and how many records have each status.

    Nothing unless the scores of all images are there.
    """
    found = [json_file(run.with_name(f"{run.name}{part}.source.json")) for part in parts]
    return (
        {
            explainer: {"n_images": one["n_images"], "status": status}
            for one in found
            for explainer, status in one.get("status", {}).items()
        }
        if found[0]
        else {}
    )


def _written(results: Path, started: float) -> str:
    files = [path.stat() for path in results.rglob("*") if path.is_file()]
    new = [file for file in files if file.st_mtime >= started]
    size = sum(file.st_size for file in new) / 1e6
    return f"{len(new)} files ({size:.1f} MB) of {len(files)} in {results}"


def _job_time(logs: Path, started: float) -> str:
    """Seconds of this run's jobs by rule, from their benchmark files, longest first."""
    spent: Counter[str] = Counter()
    for path in logs.rglob("*.tsv"):
        if path.stat().st_mtime < started:
            continue
        with open(path, newline="") as stream:
            rows = csv.DictReader(stream, delimiter="\t")
            rule = path.relative_to(logs).parts[0].removesuffix(".tsv")
            spent[rule] += sum(float(row["s"]) for row in rows)
    return listed([f"{rule} {duration(seconds)}" for rule, seconds in spent.most_common()])


def _scored(scores: dict[str, dict]) -> str:
    found = [summary for summary in scores.values() if summary]
    if not found:
        return ""
    images = {name: one["n_images"] for summary in found for name, one in summary.items()}
    most = max(images.values())
    explainers = [name + (f" ({n:,})" if n < most else "") for name, n in images.items()]
    return f"{len(found)} of {len(scores)} networks on {most:,} images: {', '.join(explainers)}"


def _left_out(results: Path, scores: dict[str, dict]) -> str:
    """Records that the data file lacks, and images without a score, by cause."""
    causes: Counter[str] = Counter()
    for summary in scores.values():
        for one in summary.values():
            causes.update({cause: n for cause, n in one["status"].items() if cause != "ok"})
    records = json_file(results / "study.json").get("data", {}).get("left out", {})
    parts = [f"{n:,} x {cause.replace('_', ' ')}" for cause, n in (records | causes).items()]
    return listed(parts) or ("nothing" if any(scores.values()) else "")


def _not_made(reasons: Mapping[str, str]) -> str:
    """Figures and pages that cannot apply to the study, by their reason."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(found)} ({reason})" for reason, found in names.items())


def _pages(results: Path) -> list[Path]:
    names = ("tables/table1.md", "leaderboard.html", "figures", "gallery.html")
    return [results / name for name in names if (results / name).exists()]
