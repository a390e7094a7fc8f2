"""The pages for those who are in, and for those who are not."""

from __future__ import annotations

import os
import re
import time

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from archive.models import Case, CustodyEvent, Run, User
from archive.services import access, execution, intake, sealing, sequencing
from archive.web.results import marked, table
from evidence.log.hashing import leaf_hash
from evidence.log.proof import verify_inclusion

pytestmark = pytest.mark.django_db
LINE = b"04-May-2016 00:00:12.345 queries: info: client 192.0.2.17#53124 (a.example): query: a.example IN A + (198.51.100.53)\n"


def signed_in(name: str, **rights: bool) -> Client:
    client = Client()
    path = access.create_sign_in_link(user=access.ensure_user(user_name=name, **rights))
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 302
    return client


@pytest.fixture
def row(db):
    who = access.principal_of(access.ensure_user(user_name="ann"))
    data = LINE + b"<script>\x00\n"
    row = intake.begin_submission(
        principal=who, case_reference="case-a", length=len(data), names=["a.example"], file_name="<b>x</b>"
    )
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
    sealing.seal_submission(row.pk)
    while run := Run.objects.filter(state="pending").first():
        execution.execute_run(run.pk)
    sequencing.sequence_pending()
    row.refresh_from_db()
    return row


def pages(row) -> list[str]:
    result = Run.objects.get(procedure="querier_concentration@1").pk
    return [
        "/cases/case-a", f"/submissions/{row.pk}", f"/results/{result}", f"/results/{result}/findings/client-1",
        f"/blobs/{row.blob_id}",
    ]  # fmt: skip


def test_members_and_auditors_see_a_cases_pages_and_others_get_404(row) -> None:
    ann, eve, bob = signed_in("ann"), signed_in("eve", auditor=True), signed_in("bob")
    for page in pages(row):
        assert [who.get(page).status_code for who in (ann, eve, bob, Client())] == [200, 200, 404, 302], page
        assert "that you may see" in bob.get(page).content.decode()


def test_a_link_lets_in_once(db) -> None:
    path = access.create_sign_in_link(user=access.ensure_user(user_name="ann"))
    first, second = Client(), Client()
    assert b"Sign in as ann" in first.get(path).content
    assert first.post(path).status_code == 302
    again = second.post(path)
    assert again.status_code == 404
    assert b"manage.py sign_in_link" in again.content
    assert second.get("/sign-in/unknown").status_code == 404
    assert second.get("/").url.startswith("/sign-in/")


@pytest.mark.parametrize(("wanted", "reached"), [
    ("/find?digest=ab", "/find?digest=ab"), ("https://evil.example/", "/"), ("//evil.example", "/"), ("", "/"),
])  # fmt: skip
def test_after_signing_in_one_is_where_one_wanted_to_be(db, wanted: str, reached: str) -> None:
    client = Client()
    client.get("/sign-in/", {"next": wanted})
    assert client.post(access.create_sign_in_link(user=access.ensure_user(user_name="ann"))).url == reached


def test_a_case_name_that_others_use_tells_nothing(row) -> None:
    ann, bob, eve = signed_in("ann"), signed_in("bob"), signed_in("eve", auditor=True)
    assert bob.get("/cases/case-a").status_code == 404
    own = access.ensure_case(principal=access.principal_of(access.ensure_user(user_name="bob")), reference="case-a")
    assert b"No name is watched yet" in bob.get("/cases/case-a").content
    assert bob.get(f"/cases/{row.case.pk}").status_code == 404
    assert ann.get(f"/cases/{own.pk}").status_code == 404
    several = eve.get("/cases/case-a")
    assert (several.status_code, b"several cases" in several.content.lower()) == (400, True)
    assert [eve.get(f"/cases/{case}").status_code for case in (own.pk, row.case.pk)] == [200, 200]


def test_an_auditor_who_names_a_case_of_others_founds_no_second_one(row) -> None:
    eve = signed_in("eve", auditor=True)
    assert b"case-a" not in eve.get("/upload").content
    assert b"case-a" in signed_in("ann").get("/upload").content
    begin = {"HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_LENGTH": "3"}
    of_others = eve.post("/api/v1/uploads", **begin, HTTP_UPLOAD_METADATA="case Y2FzZS1h")
    assert of_others.status_code == 403
    assert "ask a member of it to add you" in of_others.json()["detail"]
    assert [eve.get(f"/{where}cases/case-a").status_code for where in ("", "api/v1/")] == [200, 200]
    own = eve.post("/api/v1/uploads", **begin, HTTP_UPLOAD_METADATA="case ZXZlcw==")
    assert own.status_code == 201
    assert eve.post("/api/v1/uploads", **begin, HTTP_UPLOAD_METADATA="case ZXZlcw==").status_code == 201
    assert b"eves" in eve.get("/upload").content
    access.add_member(principal=access.principal_of(row.user), case=row.case, user_name="eve")
    assert eve.post("/api/v1/uploads", **begin, HTTP_UPLOAD_METADATA="case Y2FzZS1h").status_code == 201
    assert Case.objects.filter(slug="case-a").count() == 1


def test_a_link_for_a_name_that_was_mistyped_is_refused_and_makes_nobody(db, capsys) -> None:
    with pytest.raises(CommandError, match=r"no user 'anm'.*--new"):
        call_command("sign_in_link", user="anm")
    assert User.objects.count() == 0
    call_command("sign_in_link", user="ann", new=True)
    call_command("sign_in_link", user="eve", auditor=True)
    call_command("sign_in_link", user="ann")
    assert capsys.readouterr().out.count("/sign-in/") == 3
    rights = User.objects.order_by("username").values_list("username", "is_auditor", "is_staff")
    assert list(rights) == [("ann", False, False), ("eve", True, False)]


def test_every_page_of_a_reconstruction_says_so(row) -> None:
    ann = signed_in("ann")
    addresses = ["/", *pages(row)]
    assert not [page for page in addresses if b"ynthetic" in ann.get(page).content]
    row.case.reconstruction = True
    row.case.save()
    assert not [page for page in addresses if b"ynthetic" not in ann.get(page).content]


def test_a_line_that_is_too_long_to_show_says_so(db) -> None:
    who = access.principal_of(access.ensure_user(user_name="ann"))
    data = b"time,client,name,remark\n2016-05-04T00:00:00Z,192.0.2.17,a.example," + b"x" * 5000 + b"\n"
    row = intake.begin_submission(principal=who, case_reference="a", length=len(data), names=["a.example"])
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[data])
    sealing.seal_submission(row.pk)
    while run := Run.objects.filter(state="pending").first():
        execution.execute_run(run.pk)
    sequencing.sequence_pending()
    result = Run.objects.get(procedure="querier_concentration@1").pk
    text = signed_in("ann").get(f"/results/{result}/findings/client-1").content.decode()
    assert "the first 4,096 bytes are shown" in text


def test_a_files_page_shows_how_each_event_leads_to_the_root(row) -> None:
    page = signed_in("ann").get(f"/blobs/{row.blob_id}").content.decode()
    checkpoint = sequencing.latest_checkpoint()
    assert f"<code>{bytes(checkpoint.root).hex()}</code>" in page
    leaf = row.event.leaf
    shown = page.partition(f"<summary>leaf {leaf.index}, ingestion</summary>")[2].partition("</details>")[0]
    head, *hashes = re.findall(r"<code>([0-9a-f]{64})</code>", shown)
    assert bytes.fromhex(head) == leaf_hash(bytes(row.event.commitment))
    proof = [bytes.fromhex(item) for item in hashes]
    verify_inclusion(bytes.fromhex(head), leaf.index, checkpoint.size, proof, bytes(checkpoint.root))


def test_nobody_waits_for_ever_for_an_upload_that_was_abandoned(db) -> None:
    who = access.principal_of(access.ensure_user(user_name="ann"))
    row = intake.begin_submission(principal=who, case_reference="case-a", length=9)
    intake.append_bytes(principal=who, submission_id=row.pk, offset=0, chunks=[b"abc"])
    ann = signed_in("ann")
    page = ann.get(f"/submissions/{row.pk}").content.decode()
    assert "hx-get" in page and "--resume" not in page
    then = time.time() - intake.QUIET_FOR - 1
    os.utime(intake.staged_file(row.pk), (then, then))
    page = ann.get(f"/submissions/{row.pk}").content.decode()
    assert "hx-get" not in page
    assert f"custos upload FILE --case case-a --resume {row.pk}" in page
    assert "hx-get" not in ann.get(f"/cases/{row.case.pk}").content.decode()


def test_a_number_leads_to_its_lines(row) -> None:
    result = Run.objects.get(procedure="querier_concentration@1").pk
    text = signed_in("ann").get(f"/results/{result}/findings/client-1").content.decode()
    assert f"line 1, bytes 0\u2013{len(LINE)}" in text
    assert "<mark>192.0.2.17</mark>" in text


def test_one_line_is_no_plural(row) -> None:
    """The file holds one lookup and one line of something else."""
    page = " ".join(signed_in("ann").get(pages(row)[2]).content.decode().split())
    assert "in 1 row " in page and "in 1 line not understood" in page and "in 0 lines skipped by rule" in page
    assert "Assumed UTC: the source states no time zone for 1 row, and nobody stated one." in page


def test_what_stands_in_a_file_or_its_name_is_never_markup(row) -> None:
    ann = signed_in("ann")
    assert "<b>x</b>" not in ann.get(f"/submissions/{row.pk}").content.decode()
    assert marked("<script>a.example</script>", ["a.example"]) == "&lt;script&gt;<mark>a.example</mark>&lt;/script&gt;"
    policy = ann.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_a_file_is_found_by_its_hash_or_plainly_not(row) -> None:
    ann, bob = signed_in("ann"), signed_in("bob")
    digest = row.blob_id.removeprefix("sha256:")
    assert ann.get(f"/find?digest={digest.upper()}").url == f"/blobs/{row.blob_id}"
    for who, text in ((bob, digest), (ann, "0" * 64), (ann, "nonsense")):
        answer = who.get("/find", {"digest": text})
        assert answer.status_code == 404
    assert b"No file with the digest" in bob.get(f"/find?digest={digest}").content


def test_the_empty_front_page_files_the_founding_case(db, monkeypatch) -> None:
    monkeypatch.setattr("evidence.reconstruction.ORDINARY_LINES", 50)
    ann = signed_in("ann")
    assert b"as a reconstruction" in ann.get("/").content
    answer = ann.post("/demonstration")
    assert ann.get("/cases/founding-case-reconstruction").status_code == 200
    text = ann.get(answer.url).content.decode()
    assert "synthetic" in text and "reconstruction-queries.log" in text
    assert b"as a reconstruction" not in ann.get("/").content


def test_a_member_lets_others_in_and_watches_names(row) -> None:
    ann, bob = signed_in("ann"), signed_in("bob")
    assert ann.post("/cases/case-a/members", {"user": "bob"}).status_code == 302
    assert bob.get("/cases/case-a").status_code == 200
    assert ann.post("/cases/case-a/members", {"user": "nobody"}).status_code == 400
    assert bob.post("/cases/case-a/names", {"name": "B.example."}).status_code == 302
    assert b"b.example" in ann.get("/cases/case-a").content
    eve = signed_in("eve", auditor=True)
    assert eve.post("/cases/case-a/names", {"name": "c.example"}).status_code == 403


def test_whoever_opens_the_page_of_a_result_has_read_it(row) -> None:
    result = Run.objects.get(procedure="querier_concentration@1")
    page = signed_in("ann")
    for _ in range(2):
        assert page.get(f"/results/{result.pk}").status_code == 200
    read = CustodyEvent.objects.filter(type="access").values_list("objects_named__digest", flat=True)
    assert set(read) == {result.outputs.get(name="result.json").blob_id}
    assert page.get("/cases/case-a").status_code == 200
    assert set(CustodyEvent.objects.filter(type="access").values_list("objects_named__digest", flat=True)) == set(read)


def test_counts_and_shares_of_a_table_are_numbers_and_addresses_are_none() -> None:
    said = {
        "findings": [],
        "table": {"columns": ["client", "lookups", "share %"], "rows": [["192.0.2.1", 2820, "79.98"]]},
    }
    cells = table(said)["rows"][0]["cells"]
    assert [(cell["text"], cell["is_number"]) for cell in cells] == [
        ("192.0.2.1", False), ("2,820", True), ("79.98", True),
    ]  # fmt: skip
