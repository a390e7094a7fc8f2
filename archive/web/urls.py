"""Addresses of the pages."""

from __future__ import annotations

from django.urls import path

from archive.web import cases, deaccessions, evidence, interpretation, readings, receipts, results, sign_in

urlpatterns = [
    path("", cases.front, name="front"),
    path("sign-in/", sign_in.needed, name="sign-in-needed"),
    path("sign-in/<str:text>", sign_in.sign_in, name="sign-in"),
    path("sign-out", sign_in.sign_out, name="sign-out"),
    path("demonstration", cases.demonstration, name="demonstration"),
    path("cases/<slug:reference>", cases.case, name="case"),
    path("cases/<slug:reference>/names", cases.watch, name="watch"),
    path("cases/<slug:reference>/members", cases.members, name="members"),
    path("upload", evidence.upload, name="upload"),
    path("submissions/<uuid:submission_id>", evidence.submission, name="submission"),
    path("submissions/<uuid:submission_id>/reading", interpretation.interpretation, name="interpretation"),
    path("submissions/<uuid:submission_id>/receipt", receipts.receipt, name="receipt"),
    path("find", evidence.find, name="find"),
    path("blobs/<str:digest>", evidence.blob, name="blob"),
    path("blobs/<str:digest>/handovers", evidence.offer, name="offer"),
    path("blobs/<str:digest>/deaccession", deaccessions.deaccession, name="deaccession"),
    path("deaccessions/<int:deaccession_id>/approve", deaccessions.approve, name="approve-deaccession"),
    path("handovers/<uuid:handover_id>", evidence.acknowledge, name="acknowledge"),
    path("fixity", evidence.fixity, name="fixity"),
    path("runs/<uuid:run_id>/retry", results.retry, name="retry"),
    path("readings/<uuid:run_id>", readings.reading, name="reading"),
    path("readings/<uuid:run_id>/rejects", readings.rejects, name="rejects"),
    path("readings/<uuid:run_id>/rows/<int:number>", readings.row, name="row"),
    path("results/<uuid:run_id>", results.result, name="result"),
    path("results/<uuid:run_id>/findings/<str:name>", results.finding_lines, name="finding"),
]
