"""What a file was taken for is shown, and a member of the case says how it is read, without any script."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile

import pytest

from archive.models import CustodyEvent, Run
from archive.services import access, execution, intake, sealing, sequencing
from evidence.extraction import EXTRACTIONS, PACKED
from tests.archive.web.test_pages import signed_in

pytestmark = pytest.mark.django_db
ODD = b"wann;wer;was;art\n2016-08-15T12:00:00;192.0.2.1;Mail.example.;MX\n2016-08-15T12:00:01;192.0.2.2;b.example;A\n"
USUAL = b"time\tclient\tqname\n2016-08-15T12:00:00\t192.0.2.1\ta.example\n"
LINE = b"04-May-2016 00:00:12.345 client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"

WINDOWS = (
    b"%b 10:09:08 PM 0E1C PACKET  00000000033397A0 UDP Rcv 192.0.2.17    1000   Q [0001   D   NOERROR] A      "
    b"(1)a(7)example(0)\r\n"
)


def work() -> None:
    while run := Run.objects.filter(state="pending").first():
        execution.execute_run(run.pk)
    sequencing.sequence_pending()


@pytest.fixture
def hand_in(db):
    def submit(data: bytes, **about):
        who = access.principal_of(access.ensure_user(user_name="ann"))
        row = intake.begin_submission(principal=who, case_reference="case-a", length=len(data), **about)
        intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
        sealing.seal_submission(row.pk)
        work()
        row.refresh_from_db()
        return row

    return submit


def stated() -> list[dict]:
    events = CustodyEvent.objects.filter(type="format identification").order_by("time", "id")
    return [json.loads(event.text)["detail"] for event in events]


def chosen(page: str) -> dict[str, str]:
    """What each select of the form would send."""
    selects = re.findall(r'<select name="column-(\w+)"[^>]*>(.*?)</select>', page, re.DOTALL)
    found = {name: re.search(r'<option value="([^"]*)" selected>', options) for name, options in selects}
    return {name: option[1] for name, option in found.items() if option}


def test_odd_columns_are_mapped_and_both_the_words_and_the_table_are_kept(hand_in) -> None:
    row, ann = hand_in(ODD, names=["mail.example"]), signed_in("ann")
    page = ann.get(f"/submissions/{row.pk}").content.decode()
    assert "No known log format" in page
    address = f"/submissions/{row.pk}/reading"
    form = ann.get(address, {"procedure": "parse.delimited@2"}).content.decode()
    assert "wann;wer;was;art" in form and "cut by a semicolon" in form
    assert '<option value="wann">wann</option>' in form
    sent = {
        "member": row.blob_id, "procedure": "parse.delimited@2", "kind": "lookups", "delimiter": "semicolon",
        "column-time": "wann", "column-client": "wer", "column-name": "was", "column-type": "art", "column-port": "",
        "zone": "+02:00", "year": "",
    }  # fmt: skip
    assert ann.post(address, sent).status_code == 302
    work()
    run = Run.objects.get(procedure="parse.delimited@2")
    columns = {"time": "wann", "client": "wer", "name": "was", "type": "art"}
    assert run.parameters == {"kind": "lookups", "delimiter": "semicolon", "columns": columns, "zone": "+02:00"}
    assert stated()[-1]["stated"] == {**run.parameters, "procedure": "parse.delimited@2"}
    page = ann.get(f"/submissions/{row.pk}").content.decode()
    assert "<code>client</code> is its <code>wer</code>" in page
    assert "Said by a person: format CSV, TSV or semicolons, with a header, it holds lookups" in page
    assert f"/readings/{run.pk}" in page
    assert "2016-08-15T10:00:00.000000Z" in ann.get(f"/readings/{run.pk}").content.decode()


def test_a_person_can_say_by_what_the_fields_are_cut(hand_in) -> None:
    row, ann = hand_in(b"wann;wer;was,art\n2016-08-15T12:00:00;192.0.2.17;a.example,MX\n"), signed_in("ann")
    address = f"/submissions/{row.pk}/reading"
    asked = {"procedure": "parse.delimited@2"}
    form = ann.get(address, asked).content.decode()
    assert '<option value="semicolon" selected>' in form and '<option value="was,art">' in form
    form = ann.get(address, asked | {"delimiter": "comma"}).content.decode()
    assert '<option value="comma" selected>' in form and '<option value="wann;wer;was">' in form
    assert '<input type="hidden" name="delimiter" value="comma">' in form
    form = ann.get(address, asked | {"delimiter": "tab"}).content.decode()
    assert '<option value="tab" selected>' in form and "column-time" not in form
    columns = {"column-time": "wann;wer;was", "column-client": "art", "column-name": "art"}
    assert ann.post(address, asked | columns | {"kind": "lookups", "delimiter": "comma"}).status_code == 302
    work()
    (run,) = Run.objects.filter(procedure="parse.delimited@2")
    assert "delimiter" not in run.parameters and run.parameters["columns"]["client"] == "art"
    assert stated()[-1]["stated"]["delimiter"] == "comma"
    assert chosen(ann.get(address).content.decode()) == {
        key.removeprefix("column-"): name for key, name in columns.items()
    }
    assert chosen(ann.get(address, asked | {"delimiter": "semicolon"}).content.decode()) == {}


def test_the_order_of_day_and_month_can_be_said(hand_in) -> None:
    row, ann = hand_in(b"".join(WINDOWS % b"5/6/2013" for _ in range(3))), signed_in("ann")
    address = f"/submissions/{row.pk}/reading"
    assert "Their dates can be read in two orders" in ann.get(f"/submissions/{row.pk}").content.decode()
    form = ann.get(address).content.decode()
    assert '<option value="mdy">the month</option>' in form and '<option value="dmy">the day</option>' in form
    assert ann.post(address, {"dates": "dmy", "zone": "UTC"}).status_code == 302
    work()
    run = Run.objects.filter(procedure="parse.windows_dns@1").latest("created")
    assert run.parameters == {"dates": "dmy", "zone": "UTC"}
    assert "2013-06-05T22:09:08.000000Z" in ann.get(f"/readings/{run.pk}").content.decode()
    assert "dates are written dmy" in ann.get(f"/submissions/{row.pk}").content.decode()
    assert '<option value="dmy" selected>' in ann.get(address).content.decode()
    assert 'name="dates"' not in ann.get(address, {"procedure": "parse.bind@2"}).content.decode()


def test_a_guess_is_offered_and_its_confirmation_is_in_the_custody_without_a_second_reading(hand_in) -> None:
    row, ann = hand_in(USUAL), signed_in("ann")
    page = ann.get(f"/submissions/{row.pk}").content.decode()
    assert "90 % sure" in page and "nobody has confirmed it" in page
    assert "Assumed UTC" in page
    assert stated()[-1]["parameters"]["columns"] == {"time": "time", "client": "client", "name": "qname"}
    form = ann.get(f"/submissions/{row.pk}/reading").content.decode()
    assert chosen(form) == {"time": "time", "client": "client", "name": "qname"}
    sent = {f"column-{ours}": theirs for ours, theirs in chosen(form).items()}
    hidden = dict(re.findall(r'<input type="hidden" name="(procedure|kind|delimiter|member)" value="([^"]*)">', form))
    assert ann.post(f"/submissions/{row.pk}/reading", {**sent, **hidden}).status_code == 302
    assert Run.objects.filter(procedure="parse.delimited@2").count() == 1
    assert "stated" in stated()[-1] and "stated" not in stated()[-2]
    assert "nobody has confirmed it" not in ann.get(f"/submissions/{row.pk}").content.decode()


def test_what_is_unsure_asks_to_be_looked_at(hand_in) -> None:
    row = hand_in(LINE * 2 + b"<b>who knows</b>\n" * 3)
    page = signed_in("ann").get(f"/submissions/{row.pk}").content.decode()
    shown = page.partition("<article>")[2].partition("</article>")[0]
    assert "(parse.bind@2, 40 % sure)" in shown
    assert '<p class="notice">' in shown and "That is few: look whether it is right" in shown


def test_a_result_says_by_which_reading_it_was_made(hand_in) -> None:
    row, ann = hand_in(LINE, names=["a.example"]), signed_in("ann")
    ann.post(f"/submissions/{row.pk}/reading", {"zone": "+02:00"})
    work()
    readings = {str(run.pk) for run in Run.objects.filter(procedure="parse.bind@2")}
    results = Run.objects.exclude(procedure__startswith="parse.").order_by("created")
    assert [run.procedure for run in results] == [
        "querier_concentration@1", "querier_concentration@1", "reading_comparison@1"
    ]  # fmt: skip
    pages = [ann.get(f"/results/{run.pk}").content.decode() for run in results]
    found = [set(re.findall(r"/readings/([0-9a-f-]+)", page)) for page in pages]
    assert found[0] | found[1] == found[2] == readings
    assert [page.count("zone +02:00") for page in pages] == [0, 1, 1]
    assert "1 are in both and differ, in time (1)" in pages[2]


def test_a_compressed_file_is_called_what_people_call_it(hand_in) -> None:
    page = signed_in("ann").get(f"/submissions/{hand_in(gzip.compress(LINE, mtime=0)).pk}").content.decode()
    assert "Compressed by gzip" in page and "Extract." not in page
    assert set(PACKED) == set(EXTRACTIONS)


def test_of_an_archive_each_member_is_shown_and_said(hand_in) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a/odd.csv", ODD)
        archive.writestr("b.log", LINE)
    row, ann = hand_in(target.getvalue()), signed_in("ann")
    page = ann.get(f"/submissions/{row.pk}").content.decode()
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["The file", "a/odd.csv", "b.log"]
    (member,) = re.findall(r"<h3>a/odd.csv</h3>.*?\?member=([^\"]+)\"", page, re.DOTALL)
    digest = member.replace("%3A", ":")
    columns = {"column-time": "wann", "column-client": "wer", "column-name": "was"}
    said = {"member": digest, "procedure": "parse.delimited@2", "kind": "lookups", **columns}
    assert ann.post(f"/submissions/{row.pk}/reading", said).status_code == 302
    work()
    row.refresh_from_db()
    assert (row.read_as, row.reading) == ("extract.zip@1", {})
    assert [run.state for run in Run.objects.filter(procedure="parse.delimited@2")] == ["succeeded"]
    assert ann.post(f"/submissions/{row.pk}/reading", {"zone": "-05:00"}).status_code == 302
    work()
    zones = [run.parameters.get("zone") for run in Run.objects.filter(procedure="parse.bind@2").order_by("created")]
    assert zones == [None, "-05:00"]


def test_what_of_an_archive_became_no_member_is_shown(hand_in) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("logs")
        archive.writestr("logs/b.log", LINE)
        archive.writestr("logs/none.log", b"")
    page = signed_in("ann").get(f"/submissions/{hand_in(target.getvalue()).pk}").content.decode()
    assert "Logs/none.log: left out: empty" in page
    assert "a folder" not in page
    cut = gzip.compress(bytes(range(256)) * 400, mtime=0)[:-9]
    page = signed_in("ann").get(f"/submissions/{hand_in(cut).pk}").content.decode()
    assert "Is not whole: damaged or cut off" in page


@pytest.mark.parametrize(("sent", "words"), [
    ({"procedure": "parse.delimited@2", "kind": "lookups", "column-time": "wann"}, b"missing"),
    ({"kind": "sightings", "column-time": "wann", "column-name": "was", "column-client": "wer"}, b"unknown"),
    ({"dates": "ymd"}, b"write one of mdy, dmy"), ({"delimiter": "pipe"}, b"write one of comma, tab, semicolon"),
    ({"zone": "Mars/Olympus"}, b"zone"), ({"year": "MMXVI"}, b"year"), ({"year": "99999"}, b"year"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(hand_in, sent: dict, words: bytes) -> None:
    row, ann = hand_in(ODD), signed_in("ann")
    answer = ann.post(f"/submissions/{row.pk}/reading", sent)
    assert (answer.status_code, words in answer.content) == (400, True)
    assert len(stated()) == 1


def test_only_members_say_how_and_what_they_saw_is_in_the_custody(hand_in) -> None:
    row = hand_in(ODD)
    ann, eve, bob = signed_in("ann"), signed_in("eve", auditor=True), signed_in("bob")
    address = f"/submissions/{row.pk}/reading"
    assert [who.get(address).status_code for who in (ann, eve, bob)] == [200, 403, 404]
    assert [who.post(address, {"zone": "UTC"}).status_code for who in (eve, bob)] == [403, 404]
    assert CustodyEvent.objects.filter(type="access").count() == 1
    assert "Say how to read it" not in eve.get(f"/submissions/{row.pk}").content.decode()
    assert ann.get(address, {"member": "sha256:" + "0" * 64}).status_code == 404
    assert ann.get(address, {"procedure": "nonsense", "kind": "nonsense"}).status_code == 200
