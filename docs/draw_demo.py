"""Draw the README's pictures of the embedded study, from its results. Needs Chromium.

python docs/draw_demo.py --results results/demo --output docs
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

PAGES = {  # pictures, the pages that they show, and the part of the window: width, height
    "gallery.png": ("gallery.html", 1400, 720),
    "table1.png": ("tables/table1.html", 1160, 640),
}
WIDTH = 1000  # pixels of a picture


def photographed(page: Path, width: int, height: int) -> Image.Image:
    """The upper left part of a page, as a window of 1400 x 900 pixels shows it."""
    with tempfile.TemporaryDirectory() as folder:
        window = ["--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1400,900"]
        files = [f"--user-data-dir={folder}", f"--screenshot={folder}/page.png"]
        chromium = shutil.which("chromium-headless-shell") or "chromium"
        command = [chromium, *window, *files, page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(f"{folder}/page.png") as shot:
            return shot.convert("RGB").crop((0, 0, width, height))


def main(argv: list[str] | None = None) -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--results", type=Path, default=Path("results/demo"), help="folder of the study's results"
    )
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the pictures")
    arguments = parser.parse_args(argv)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, (page, width, height) in PAGES.items():
        picture = photographed(arguments.results / page, width, height)
        small = picture.resize((WIDTH, round(height * WIDTH / width)))
        small.save(arguments.output / name, optimize=True)
    shutil.copyfile(arguments.results / "figures/figure1.png", arguments.output / "figure1.png")


if __name__ == "__main__":
    main()
