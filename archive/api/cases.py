"""Cases and the names they watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.api.authentication import principal
from archive.services import access, runs

if TYPE_CHECKING:
    from rest_framework.request import Request

    from archive.models import Case


class CaseInput(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=80)
    title = serializers.CharField(max_length=200, required=False, default="")
    names = serializers.ListField(child=serializers.CharField(), required=False, default=list)
    reconstruction = serializers.BooleanField(required=False, default=False)


class NamesInput(serializers.Serializer[Any]):
    names = serializers.ListField(child=serializers.CharField())


class CaseOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    title = serializers.CharField()
    reconstruction = serializers.BooleanField()
    names = serializers.ListField(child=serializers.CharField())


def case_value(case: Case) -> dict[str, Any]:
    names = list(case.names.order_by("name").values_list("name", flat=True))
    return {"id": str(case.pk), "slug": case.slug, "title": case.title, "reconstruction": case.reconstruction,
            "names": names}  # fmt: skip


class CasesView(APIView):
    @extend_schema(responses=CaseOutput(many=True), operation_id="list_cases")
    def get(self, request: Request) -> Response:
        return Response([case_value(case) for case in access.cases_visible_to(principal(request))])

    @extend_schema(request=CaseInput, responses={201: CaseOutput}, operation_id="make_case")
    def post(self, request: Request) -> Response:
        said = CaseInput(data=request.data)
        said.is_valid(raise_exception=True)
        who, value = principal(request), said.validated_data
        case = access.ensure_case(
            principal=who, reference=value["slug"], title=value["title"], reconstruction=value["reconstruction"]
        )
        access.watch_names(principal=who, case=case, names=value["names"])
        runs.plan_follow_ups(case=case)
        return Response(case_value(case), status=201)


class CaseView(APIView):
    @extend_schema(responses=CaseOutput, operation_id="case")
    def get(self, request: Request, case: str) -> Response:
        return Response(case_value(access.visible_case(principal(request), case)))


class CaseNamesView(APIView):
    @extend_schema(request=NamesInput, responses=CaseOutput, operation_id="watch_names")
    def post(self, request: Request, case: str) -> Response:
        said = NamesInput(data=request.data)
        said.is_valid(raise_exception=True)
        found = access.visible_case(principal(request), case)
        access.watch_names(principal=principal(request), case=found, names=said.validated_data["names"])
        runs.plan_follow_ups(case=found)
        return Response(case_value(found))
