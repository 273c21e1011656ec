"""Types of command-line values that several modules share."""

import argparse
import json
import os

THREADS_HELP = "CPU threads; default: all cores that this process may use"


def json_object(text: str) -> dict:
    """Parse a command-line value that must be a JSON object (an argparse `type`)."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {type(value).__name__}")
    return value


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # on Linux, where a scheduler may have set fewer
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def positive(text: str) -> int:
    """Parse a command-line value that must be a whole number above 0 (an argparse `type`)."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or above")
    return value
