"""What a case asks of the stores, hand-overs, deaccessions, alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.api.authentication import principal
from archive.services import access, alarms, deaccessions, finding, handovers, keeping
from archive.services.custody import rfc3339
from archive.services.refusals import NotAllowed

if TYPE_CHECKING:
    import uuid

    from rest_framework.request import Request

    from archive.models import Case, Deaccession, Handover


class KeepingInput(serializers.Serializer[Any]):
    copies = serializers.IntegerField(required=False)
    retain_until = serializers.DateField(required=False, allow_null=True)
    hold = serializers.BooleanField(required=False)


class HandoverInput(serializers.Serializer[Any]):
    case = serializers.CharField()
    receiver = serializers.CharField(max_length=150)
    note = serializers.CharField(max_length=4000, required=False, default="", allow_blank=True)


class DeaccessionInput(serializers.Serializer[Any]):
    case = serializers.CharField()
    reason = serializers.CharField(max_length=4000)


def keeping_value(case: Case) -> dict[str, Any]:
    end = str(case.retain_until) if case.retain_until else None
    return {"copies": case.copies, "retain_until": end, "hold": case.hold, "applied": case.kept}


class CaseKeepingView(APIView):
    @extend_schema(request=KeepingInput, responses=OpenApiTypes.OBJECT, operation_id="change_keeping")
    def patch(self, request: Request, case: str) -> Response:
        said = KeepingInput(data=request.data)
        said.is_valid(raise_exception=True)
        who = principal(request)
        row = keeping.change_keeping(principal=who, case=access.visible_case(who, case), **said.validated_data)
        return Response(keeping_value(row))


class HandoversView(APIView):
    @extend_schema(request=HandoverInput, responses={201: OpenApiTypes.OBJECT}, operation_id="offer_handover")
    def post(self, request: Request, digest: str) -> Response:
        said = HandoverInput(data=request.data)
        said.is_valid(raise_exception=True)
        who, value = principal(request), said.validated_data
        row = handovers.offer_handover(
            principal=who, case=access.visible_case(who, value["case"]), blob=finding.blob(who, digest),
            receiver=value["receiver"], note=value["note"],
        )  # fmt: skip
        return Response(handover_value(row), status=201)


class AcknowledgeView(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT, operation_id="acknowledge_handover")
    def post(self, request: Request, handover_id: uuid.UUID) -> Response:
        row = handovers.acknowledge_handover(principal=principal(request), handover_id=handover_id)
        return Response(handover_value(row))


def handover_value(row: Handover) -> dict[str, Any]:
    return {
        "id": str(row.pk), "case": row.case.slug, "blob": row.blob_id, "from": row.giver.username,
        "to": row.receiver.username, "offered": rfc3339(row.offered),
        "acknowledged": rfc3339(row.acknowledged) if row.acknowledged else None,
    }  # fmt: skip


class DeaccessionsView(APIView):
    @extend_schema(request=DeaccessionInput, responses={201: OpenApiTypes.OBJECT}, operation_id="ask_deaccession")
    def post(self, request: Request, digest: str) -> Response:
        said = DeaccessionInput(data=request.data)
        said.is_valid(raise_exception=True)
        who, value = principal(request), said.validated_data
        row = deaccessions.ask_deaccession(
            principal=who, case=access.visible_case(who, value["case"]), blob=finding.blob(who, digest),
            reason=value["reason"],
        )  # fmt: skip
        return Response(_deaccession_value(row), status=201)


class ApproveDeaccessionView(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT, operation_id="approve_deaccession")
    def post(self, request: Request, deaccession_id: int) -> Response:
        who = principal(request)
        row = deaccessions.visible_deaccession(who, deaccession_id)
        return Response(_deaccession_value(deaccessions.approve_deaccession(principal=who, deaccession=row)))


def _deaccession_value(row: Deaccession) -> dict[str, Any]:
    event = str(row.event_id) if row.event_id else None
    return {"id": row.pk, "blob": row.blob_id, "case": row.case.slug, "reason": row.reason, "event": event}


class AlarmsView(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="alarms")
    def get(self, request: Request) -> Response:
        who = principal(request)
        if not (who.audits or who.user.is_staff):
            raise NotAllowed("alarms are for auditors and administrators")
        return Response([
            {"kind": alarm.kind, "subject": alarm.subject, "text": alarm.text, "raised": rfc3339(alarm.raised)}
            for alarm in alarms.open_alarms()
        ])  # fmt: skip
