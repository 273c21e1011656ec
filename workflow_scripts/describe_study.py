"""Write down what a study is made of: data, networks, protocol, config and software versions.

As a page for readers (HTML) and as JSON for programs.
"""

import argparse
from pathlib import Path

from human_alignment.common.arguments import json_object
from human_alignment.common.cli import run
from human_alignment.common.files import write_json, written_whole
from human_alignment.outcome.study_record import study_page, study_record
from human_alignment.scores.protocol import PROTOCOL_HELP, protocol_argument


def main(argv: list[str] | None = None) -> None:
    """Parse, gather, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", type=json_object, required=True, help="the config, as JSON")
    parser.add_argument("--protocol", type=protocol_argument, required=True, help=PROTOCOL_HELP)
    parser.add_argument("--data", type=Path, required=True, help="data file")
    parser.add_argument(
        "--training", type=Path, nargs="?", help="training file, whose images are counted in it"
    )
    parser.add_argument(
        "--sources",
        nargs="+",
        type=Path,
        required=True,
        help="what the scores of all runs were made from, <network>/<run>.source.json",
    )
    parser.add_argument("--output", required=True, help="page to write (.html)")
    parser.add_argument("--record", required=True, help="the same to write as .json")
    arguments = parser.parse_args(argv)
    made_of = arguments.data, arguments.sources, arguments.training
    record = study_record(arguments.config, arguments.protocol, *made_of)
    with written_whole(arguments.output) as partial:
        partial.write_text(study_page(record), encoding="utf-8")
    write_json(arguments.record, record)


if __name__ == "__main__":
    run(main)
