"""Addresses that others rely on."""

from __future__ import annotations

from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView

from archive.api import blobs, cases, keeping, ledger, operation, readings, results, submissions, uploads

_V1 = [
    path("uploads", uploads.UploadsView.as_view()),
    path("uploads/<uuid:submission_id>", uploads.UploadView.as_view()),
    path("cases", cases.CasesView.as_view()),
    path("cases/<str:case>", cases.CaseView.as_view()),
    path("cases/<str:case>/names", cases.CaseNamesView.as_view()),
    path("cases/<str:case>/keeping", keeping.CaseKeepingView.as_view()),
    path("blobs/<str:digest>/handovers", keeping.HandoversView.as_view()),
    path("handovers/<uuid:handover_id>/acknowledge", keeping.AcknowledgeView.as_view()),
    path("blobs/<str:digest>/deaccessions", keeping.DeaccessionsView.as_view()),
    path("deaccessions/<int:deaccession_id>/approve", keeping.ApproveDeaccessionView.as_view()),
    path("alarms", keeping.AlarmsView.as_view()),
    path("submissions", submissions.SubmissionsView.as_view()),
    path("submissions/<uuid:submission_id>", submissions.SubmissionView.as_view()),
    path("submissions/<uuid:submission_id>/receipt", submissions.SubmissionReceiptView.as_view()),
    path("submissions/<uuid:submission_id>/reading", submissions.SubmissionReadingView.as_view()),
    path("submissions/<uuid:submission_id>/content", submissions.SubmissionContentView.as_view()),
    path("blobs/<str:digest>", blobs.BlobView.as_view()),
    path("blobs/<str:digest>/content", blobs.BlobContentView.as_view()),
    path("events/<uuid:event_id>/receipt", blobs.EventReceiptView.as_view()),
    path("results", results.ResultsView.as_view()),
    path("results/<uuid:run_id>", results.ResultView.as_view()),
    path("results/<uuid:run_id>/attestation", results.AttestationView.as_view()),
    path("results/<uuid:run_id>/receipt", results.RunReceiptView.as_view()),
    path("results/<uuid:run_id>/bundle", results.BundleView.as_view()),
    path("results/<uuid:run_id>/findings/<str:name>/sources", results.SourcesView.as_view()),
    path("results/<uuid:run_id>/findings/<str:name>/lines", results.LinesView.as_view()),
    path("runs/<uuid:run_id>", results.RunView.as_view()),
    path("runs/<uuid:run_id>/retry", results.RetryView.as_view()),
    path("runs/<uuid:run_id>/attestation", results.AttestationView.as_view(), name="run-attestation"),
    path("runs/<uuid:run_id>/receipt", results.RunReceiptView.as_view(), name="run-receipt"),
    path("runs/<uuid:run_id>/outputs/<str:name>", results.RunOutputView.as_view()),
    path("runs/<uuid:run_id>/rejects", readings.RejectsView.as_view()),
]
urlpatterns = [
    path("api/v1/", include(_V1)),
    path("api/schema", SpectacularAPIView.as_view()),
    # They change nothing: another method than GET and HEAD is told so, and not that a form's token is missing.
    path("log/checkpoint", csrf_exempt(ledger.checkpoint)),
    path("log/policy", csrf_exempt(ledger.policy)),
    path("log/key-events", csrf_exempt(ledger.key_events)),
    path("log/key-events/<uuid:event_id>.receipt.json", csrf_exempt(ledger.key_receipt)),
    path("log/tile/<path:path>", csrf_exempt(ledger.tile)),
    path(".well-known/custos-keys.json", csrf_exempt(ledger.keys)),
    path("healthz", csrf_exempt(operation.healthz)),
    path("readyz", csrf_exempt(operation.readyz), name="readyz"),
    path("metrics", csrf_exempt(operation.metrics)),
]
