"""The receipt on paper, as Chromium shows and prints it; its code is read by another program (ZBar)."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.journeys.test_browser import browser, enter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journeys.service import Service

__all__ = ["browser", "enter"]
pytestmark = [pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]
A4 = {"width": 794, "height": 1123}  # at 96 dots an inch


@pytest.fixture(scope="module")
def submission(service: Service, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("handed in") / "file.bin"
    path.write_bytes(b"sealed and printed\n")
    sent = service.json("custos", "upload", str(path), "--case", "ritas-case", token=service.token("rita"))
    return str(sent["submission"])


def read(picture: Path) -> str:
    done = subprocess.run(["zbarimg", "--quiet", "--raw", str(picture)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("width", [1280, 360])
def test_the_code_on_the_screen_says_what_is_written_beside_it(
    enter, service: Service, submission: str, tmp_path: Path, width: int
) -> None:
    page = enter("rita", width=width)
    page.goto(f"{service.url}/submissions/{submission}")
    page.get_by_role("link", name="print").click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture = tmp_path / "code.png"
    page.locator("svg.code").screenshot(path=picture)
    assert read(picture) == page.locator("pre").first.inner_text().strip()


def test_the_printed_page_is_one_sheet_with_a_code_that_can_be_read(
    enter, service: Service, submission: str, tmp_path: Path
) -> None:
    page = enter("rita")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size(A4)
    page.goto(f"{service.url}/submissions/{submission}/receipt")
    picture = tmp_path / "sheet.png"
    page.screenshot(path=picture, full_page=True)
    lines = dict(line.split(" ", 1) for line in read(picture).splitlines() if " " in line)
    receipt = page.request.get(f"{service.url}/api/v1/submissions/{submission}/receipt?size={lines['size']}").json()
    assert lines["digest"] == json.loads(receipt["event"])["objects"][0]["digest"]
    assert f"{lines['origin']}\n{lines['size']}\n{lines['root']}\n" in receipt["proof"]
    assert page.locator("header").is_hidden()
    sheet = page.pdf(format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "1.5cm"))
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
