"""Make docs/screenshot.png from the running thing: the founding case's first result."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.journeys.service import Service

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        Path(folder).chmod(0o755)
        service = Service(Path(folder) / "home").start()
        try:
            demo = json.loads(service.run("custos", "demo", "--json").stdout)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 960})
            page.goto(service.link("admin"))
            page.get_by_role("button", name="Sign in").click()
            page.goto(f"{service.url}/results/{demo['results']['concentration']}")
            page.screenshot(path=ROOT / "docs" / "screenshot.png")
            browser.close()
        finally:
            service.stop()


if __name__ == "__main__":
    main()
