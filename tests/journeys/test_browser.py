"""The pages in Debian's Chromium on the running service with its real worker."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Page, expect, sync_playwright

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journeys.service import Service

pytestmark = [pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
LINE = b"04-May-2016 00:00:12.%03d queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\r\n"
GAPS = """() => [...document.querySelectorAll(".numbers li")].map((item) => {
  const number = item.querySelector("strong"), range = document.createRange();
  number.textContent = "1,203,150";
  range.selectNodeContents(number);
  return item.querySelector("span").getBoundingClientRect().left - range.getBoundingClientRect().right;
})"""  # between what is written of the number and its label
LINES = """(cells) => cells.map((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return range.getClientRects().length;
})"""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def enter(browser, service: Service):
    """A page of somebody who has just signed in by a link; what the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def make(user: str, *flags: str, width: int = 1280, scripts: bool = True) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(service.link(user, *flags))
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Cases")).to_be_visible()
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


def test_a_reporter_uploads_watches_and_follows_a_number_to_its_lines(enter, service: Service, tmp_path: Path) -> None:
    data = b"".join(LINE % n for n in range(120)) + b"something else\r\n"
    path = tmp_path / "queries.log"
    path.write_bytes(data)
    page = enter("rita")
    page.get_by_role("link", name="Upload", exact=True).click()
    page.set_input_files("input[type=file]", path)
    page.get_by_label("Case", exact=True).fill("ritas-case")
    page.get_by_label("Domain name to watch").fill("a.example")
    page.get_by_label("Note").fill("handed over in a café")
    page.locator("#upload button").click()
    page.wait_for_url("**/submissions/*")
    for step in ("received", "sealed", "in the ledger", "recognised", "read and analysed"):
        expect(page.locator(".steps .reached", has_text=step).first).to_be_visible(timeout=30_000)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    expect(page.get_by_text(digest)).to_be_visible()
    page.get_by_role("link", name="see the result").click()
    expect(page.get_by_text("192.0.2.17 made 120 of 120 lookups")).to_be_visible()
    page.locator(".numbers a").nth(1).click()
    shown = page.locator(".lines li")
    expect(shown).to_have_count(50)
    page.get_by_role("link", name="more lines").click()
    assert shown.nth(0).locator("code").inner_text() == (LINE % 50).decode().strip()
    start = 50 * len(LINE % 0)
    expect(shown.nth(0).locator(".quiet")).to_contain_text(f"line 51, bytes {start:,}")
    assert shown.nth(0).locator("mark").all_inner_texts()[0] == "192.0.2.17"

    auditor = enter("otto", "--auditor")
    auditor.get_by_role("link", name="Find by hash").click()
    auditor.get_by_label("SHA-256").fill(digest)
    auditor.get_by_role("button", name="Find").click()
    expect(auditor.get_by_role("cell", name="ingestion").first).to_be_visible()
    with auditor.expect_download() as got:
        auditor.get_by_role("link", name="receipt").first.click()
    receipt = tmp_path / "got.receipt.json"
    got.value.save_as(receipt)
    check = service.run(
        "custos-verify", str(path), str(receipt), "--policy", str(service.home / "policy.txt"), check=False
    )
    assert check.returncode == 3, check.stdout

    outsider = enter("olga")
    outsider.goto(page.url)
    expect(outsider.get_by_role("heading", name="Not found")).to_be_visible()


def test_an_upload_that_was_given_up_goes_on_and_is_not_begun_anew(enter, tmp_path: Path) -> None:
    path = tmp_path / "cut.log"
    path.write_bytes(LINE % 1)
    page = enter("rita")
    page.get_by_role("link", name="Upload", exact=True).click()
    page.set_input_files("input[type=file]", path)
    page.get_by_label("Case", exact=True).fill("ritas-cut")
    page.route("**/api/v1/uploads/*", lambda route: route.abort())
    page.locator("#upload button").click()
    said = "Not uploaded: the server does not answer. What arrived is kept; press Upload to go on."
    expect(page.locator("#said")).to_have_text(said, timeout=120_000)
    page.unroute("**/api/v1/uploads/*")
    page.locator("#upload button").click()
    page.wait_for_url("**/submissions/*", timeout=60_000)
    page.get_by_role("link", name="ritas-cut").click()
    expect(page.get_by_role("region", name="Submissions").get_by_role("link")).to_have_count(1, timeout=60_000)


def test_the_empty_front_page_files_the_reconstruction(enter) -> None:
    page = enter("dana")
    page.get_by_role("button", name="File the founding case").click()
    refused_or_case = page.get_by_role("heading").first
    expect(refused_or_case).to_be_visible()
    assert "reconstruction" in page.content()


def test_odd_columns_are_mapped_on_a_page_and_the_result_follows(enter, service: Service, tmp_path: Path) -> None:
    rows = b"".join(b"2016-08-15T12:00:%02d;192.0.2.17;odd.example;MX\n" % n for n in range(40))
    path = tmp_path / "export.txt"
    path.write_bytes(b"wann;wer;was;art\n" + rows + b"gestern;192.0.2.17;odd.example;MX\n")
    page = enter("nora")
    page.goto(f"{service.url}/upload")
    page.set_input_files("input[type=file]", path)
    page.get_by_label("Case", exact=True).fill("noras-case")
    page.get_by_label("Domain name to watch").fill("odd.example")
    page.locator("#upload button").click()
    page.wait_for_url("**/submissions/*")
    submission = page.url
    expect(page.get_by_text("No known log format")).to_be_visible(timeout=120_000)
    page.get_by_role("link", name="Say how to read it").click()
    page.get_by_label("Format").select_option("parse.delimited@2")
    page.get_by_role("button", name="Show what is to be said of it").click()
    for ours, theirs in (("time", "wann"), ("client", "wer"), ("name", "was"), ("type", "art")):
        page.locator(f"select[name=column-{ours}]").select_option(theirs)
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Confirm, and read it so").click()
    page.wait_for_url(submission)
    expect(page.get_by_text("Said by a person")).to_be_visible()
    page.get_by_role("link", name="What was read", exact=True).click(timeout=120_000)
    expect(page.get_by_role("img", name="of the bytes not understood")).to_be_visible()
    reading = page.url
    page.get_by_role("row", name="bad-time").get_by_role("link").click()
    expect(page.locator(".lines code")).to_have_text("gestern;192.0.2.17;odd.example;MX")
    page.goto(reading)
    page.get_by_role("link", name="3", exact=True).click()
    expect(page.locator("pre")).to_have_text("2016-08-15T12:00:02;192.0.2.17;odd.example;MX")
    expect(page.get_by_text("2016-08-15T10:00:02.000000Z")).to_be_visible()
    page.goto(submission)
    page.get_by_role("link", name="see the result").click(timeout=120_000)
    expect(page.get_by_text("192.0.2.17 made 40 of 40 lookups")).to_be_visible()
    narrow = enter("nora", width=360)
    for address in (submission, f"{submission}/reading", reading, f"{reading}/rejects", f"{reading}/rows/3"):
        narrow.goto(address)
        assert narrow.evaluate("document.documentElement.scrollWidth") <= 360, address


def test_two_persons_have_a_file_taken_away_without_scripts_on_a_narrow_screen(
    enter, service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "ordered.log"
    path.write_bytes(b"to be taken away\n")
    said = service.json("custos", "upload", str(path), "--case", "veras-case", token=service.token("vera"))
    vera = enter("vera", "--administrator", width=360, scripts=False)
    vera.goto(f"{service.url}/blobs/{said['digest']}")
    vera.get_by_role("link", name="Deletion under law").click()
    vera.get_by_label("Reason").fill("order 12/2026 of the court of X")
    vera.get_by_role("button", name="Ask for its deletion").click()
    expect(vera.get_by_text("nobody else has approved it yet")).to_be_visible()
    expect(vera.get_by_role("button", name="Approve it for good")).to_have_count(0)
    assert vera.evaluate("document.documentElement.scrollWidth") <= 360
    odo = enter("odo", "--auditor", width=360, scripts=False)
    odo.goto(vera.url)
    expect(odo.get_by_text("order 12/2026 of the court of X")).to_be_visible()
    assert odo.evaluate("document.documentElement.scrollWidth") <= 360
    odo.get_by_role("button", name="Approve it for good").click()
    expect(odo.get_by_text("approved by odo")).to_be_visible()
    vera.goto(f"{service.url}/blobs/{said['digest']}")
    expect(vera.get_by_text("were taken away by law")).to_be_visible()


@pytest.fixture(scope="module")
def addresses(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A page of every kind, of a case with a result, a file that was refused, and a name as long as they come."""
    token, folder = service.token("wilma"), tmp_path_factory.mktemp("wide")
    log = folder / f"{'query' * 40}.log"
    log.write_bytes(b"".join(LINE % n for n in range(120)) + b"something else\r\n")
    said = service.json("custos", "upload", str(log), "--case", "wilmas-case", "--name", "a.example", token=token)
    done = service.json("custos", "wait", said["submission"], token=token)
    reading, result = (
        next(run["id"] for run in done["runs"] if run["procedure"].startswith(kind)) for kind in ("parse.", "querier_")
    )
    refused = refused_upload(service, token)
    return [
        "/", "/upload", "/find", f"/find?digest={'ab' * 32}", "/fixity", "/cases/wilmas-case", "/cases/nobodys",
        f"/submissions/{said['submission']}", f"/submissions/{said['submission']}/reading",
        f"/submissions/{said['submission']}/receipt", f"/submissions/{refused}", f"/blobs/{said['digest']}",
        f"/readings/{reading}", f"/readings/{reading}/rejects", f"/readings/{reading}/rows/3", f"/results/{result}",
        f"/results/{result}/findings/client-1", "/sign-in/", f"/sign-in/{'unknown' * 30}", f"/nothing/{'at-all' * 30}",
    ]  # fmt: skip


def refused_upload(service: Service, token: str) -> str:
    """A submission whose bytes have another digest than was said, once that was noticed."""
    tus = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    values = {"case": "wilmas-case", "filename": "wrong.log", "digest": "ab" * 32}
    said = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())
    with httpx.Client(base_url=service.url, headers=tus, trust_env=False, timeout=60) as client:
        path = client.post("/api/v1/uploads", headers={"Upload-Length": "3", "Upload-Metadata": said}).headers[
            "Location"
        ]
        kind = "application/offset+octet-stream"
        client.patch(path, content=b"abc", headers={"Upload-Offset": "0", "Content-Type": kind}).raise_for_status()
        submission, deadline = path.rpartition("/")[2], time.monotonic() + 120
        while client.get(f"/api/v1/submissions/{submission}").json()["state"] != "refused":
            assert time.monotonic() < deadline
            time.sleep(0.2)
    return submission


@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_is_wider_than_the_screen(enter, service: Service, addresses: list[str], width: int) -> None:
    page = enter("wilma", width=width)
    for address in addresses:
        page.goto(service.url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


@pytest.mark.parametrize("width", [1280, 360])
def test_a_large_number_stands_beside_its_label(enter, service: Service, addresses: list[str], width: int) -> None:
    page = enter("wilma", width=width)
    for address in (address for address in addresses if address.startswith(("/readings", "/results"))):
        page.goto(service.url + address)
        gaps = page.evaluate(GAPS)
        assert min(gaps, default=1) > 0, (address, gaps)


def test_times_and_names_of_a_case_are_seen_whole_on_a_narrow_screen(enter, service: Service, addresses) -> None:
    page = enter("wilma", width=360)
    page.goto(f"{service.url}/cases/wilmas-case")
    shown = page.locator("td .when")
    assert shown.count() == 4
    assert set(shown.evaluate_all(LINES)) == {1}
    assert page.locator(".wide").evaluate("(region) => region.scrollWidth - region.clientWidth") == 0
