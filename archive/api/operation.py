"""For those who run it: alive, ready, and in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_prometheus import exports
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from archive import wiring
from archive.api.problems import problem
from archive.models import Alarm, PendingLeaf, Run, Submission, User
from archive.services import access
from archive.services.health import readiness
from archive.services.refusals import NotVisible
from archive.services.sequencing import latest_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Every part answers, or which does not and what is wrong with it."""
    checks = readiness()
    ready = all(value == "ok" for value in checks.values())
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format. How much comes in, and when, is nobody's business: see `_may_measure`."""
    said = "send a token made with manage.py token --user NAME --scope metrics"
    try:
        may = _may_measure(request)
    except NotVisible as refusal:
        may, said = False, str(refusal)
    if not may:
        return problem(request, 401, "Unauthorized", said, {"WWW-Authenticate": 'Bearer realm="custos"'})
    answer: HttpResponse = exports.ExportToDjangoView(request)
    return answer


def _may_measure(request: HttpRequest) -> bool:
    """Administrators, tokens with the scope, and on a machine that serves nobody else whoever is on it.

    Raises `NotVisible` for a token that is not good.
    """
    relayed = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if wiring.is_for_this_machine() and request.META.get("REMOTE_ADDR") in wiring.LOOPBACK and not relayed:
        return True
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    token = access.authenticate_token(text.strip()) if kind.lower() == "bearer" else None
    user = token.user if token else request.user
    return isinstance(user, User) and access.principal_of(user, token).measures


class Rows(Collector):
    """What waits and what is there, counted when asked."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is counted before somebody asks."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, model in (("submissions", Submission), ("runs", Run)):
            gauge = GaugeMetricFamily(f"custos_{name}", f"{name} by state", labels=["state"])
            for state, count in model.objects.order_by().values_list("state").annotate(Count("pk")):
                gauge.add_metric([state], count)
            yield gauge
        newest = latest_checkpoint()
        yield GaugeMetricFamily("custos_ledger_size", "leaves of the ledger", value=newest.size if newest else 0)
        open_alarms = Alarm.objects.filter(ended=None).count()
        yield GaugeMetricFamily("custos_alarms_open", "alarms that are not over", value=open_alarms)
        pending = PendingLeaf.objects.count()
        yield GaugeMetricFamily("custos_events_pending", "events that no checkpoint covers yet", value=pending)


REGISTRY.register(Rows())
