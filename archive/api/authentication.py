"""Who asks: a bearer token, or a browser's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from archive.models import AccessToken, User
from archive.services import access
from archive.services.refusals import NotVisible

if TYPE_CHECKING:
    from rest_framework.request import Request


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer …`."""

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        try:
            token = access.authenticate_token(text.strip())
        except NotVisible as refusal:
            raise AuthenticationFailed(str(refusal)) from refusal
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="custos"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # its registry is untyped
    """How the schema names `BearerToken`: the framework finds it by its class."""

    target_class = BearerToken
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http", "scheme": "bearer",
            "description": "A token made with manage.py token --user NAME --scope upload,read",
        }  # fmt: skip


def principal(request: Request) -> access.Principal:
    """The person behind an authenticated request, with the rights they came in with."""
    user, token = request.user, request.auth
    if not isinstance(user, User):
        raise AuthenticationFailed("sign in, or send a token: Authorization: Bearer …")
    return access.principal_of(user, token if isinstance(token, AccessToken) else None)
