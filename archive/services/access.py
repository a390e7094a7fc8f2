"""Who may see and do what: principals, cases, tokens, one-time links."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from archive.models import AccessToken, Case, CaseName, Membership, SignInLink, User
from archive.services.refusals import BadInput, NotAllowed, NotVisible

if TYPE_CHECKING:
    from collections.abc import Iterable

SCOPES = ("upload", "read", "audit", "metrics")
LINK_LIFE = dt.timedelta(hours=24)
_log = structlog.get_logger(__name__)
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_NAME = re.compile(r"[!-~]{1,1024}")


@dataclass(frozen=True, slots=True)
class Principal:
    """A person as they came in: with all their rights, or with those of a token only."""

    user: User
    scopes: frozenset[str]

    @property
    def audits(self) -> bool:
        return self.user.is_auditor and "audit" in self.scopes

    @property
    def measures(self) -> bool:
        """Whether they may know how much is going on; a person may if they administer."""
        return "metrics" in self.scopes

    @property
    def adds(self) -> bool:
        """Whether they may add to cases and to the custody of what is in them."""
        return "upload" in self.scopes

    @property
    def reads(self) -> bool:
        return bool(self.scopes & {"read", "audit"})


def principal_of(user: User, token: AccessToken | None = None) -> Principal:
    """A browser's session has all scopes that a person can have; a token those it was made with."""
    if token is not None:
        return Principal(user, frozenset(token.scopes))
    return Principal(user, frozenset(SCOPES) - (frozenset() if user.is_staff else {"metrics"}))


def cases_visible_to(principal: Principal) -> QuerySet[Case]:
    """Cases that may be read: one's own, and for an auditor all."""
    if not principal.reads:
        return Case.objects.none()
    return Case.objects.all() if principal.audits else own_cases(principal)


def own_cases(principal: Principal) -> QuerySet[Case]:
    """Cases that the person is a member of, and so may add to."""
    return Case.objects.filter(membership__user=principal.user)


def names_known_to(principal: Principal, ids: Iterable[str]) -> dict[str, str]:
    """The user names by id of those whom one meets: oneself, and the members of the cases that one may see."""
    met = Q(membership__case__in=cases_visible_to(principal)) | Q(pk=principal.user.pk)
    found = User.objects.filter(met, pk__in=filter(None, map(as_uuid, ids))).distinct()
    return {str(pk): name for pk, name in found.values_list("pk", "username")}


def visible_case(principal: Principal, reference: str) -> Case:
    """The case of this name or id. Raises `NotVisible`, `BadInput` if several have the name."""
    case = _one(cases_visible_to(principal), reference)
    if case is None:
        raise NotVisible(f"there is no case {reference[:80]!r} that you may see; ask a member of it to add you")
    return case


def refuse_reader(principal: Principal) -> None:
    """To be called before whatever a person adds to a custody. Raises `NotAllowed` for a token that may only look."""
    if not principal.adds:
        raise NotAllowed("the token lacks the scope upload; make one with manage.py token --scope upload,read")


def ensure_case(*, principal: Principal, reference: str, title: str = "", reconstruction: bool = False) -> Case:
    """One's own case of this name or id, founded if one has none of the name. Raises `BadInput`, `NotAllowed`."""
    refuse_reader(principal)
    case = _one(own_cases(principal), reference)
    if case is not None:
        return case
    if as_uuid(reference):
        raise NotAllowed(f"you are not a member of a case {reference}; ask a member of it to add you")
    if not _SLUG.fullmatch(reference):
        raise BadInput(f"the case {reference[:80]!r}: write lower-case letters, digits and hyphens, at most 80")
    with transaction.atomic():
        about = {"title": title[:200], "reconstruction": reconstruction}
        case, _ = Case.objects.get_or_create(slug=reference, founder=principal.user, defaults=about)
        Membership.objects.get_or_create(case=case, user=principal.user)
    return case


def refuse_namesake(*, principal: Principal, reference: str) -> None:
    """An auditor who names somebody else's case hardly means to found a second one. Raises `NotAllowed`."""
    if not principal.user.is_auditor or own_cases(principal).filter(slug=reference).exists():
        return
    if Case.objects.filter(slug=reference).exists():
        raise NotAllowed(
            f"the case {reference!r} is one that you audit and are not a member of: ask a member of it to add you, "
            "or write another name (POST /api/v1/cases founds a second one of the name)"
        )


def _one(cases: QuerySet[Case], reference: str) -> Case | None:
    """By id, or by a name that only one of them has."""
    identifier = as_uuid(reference)
    found = list(cases.filter(pk=identifier) if identifier else cases.filter(slug=reference)[:2])
    if len(found) > 1:
        raise BadInput(
            f"several cases that you may see are called {reference!r}; name one by its id (GET /api/v1/cases)"
        )
    return found[0] if found else None


def as_uuid(text: str) -> uuid.UUID | None:
    """The id that a text is, if it is one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def add_member(*, principal: Principal, case: Case, user_name: str) -> None:
    """Let somebody else into one's own case. Raises `NotAllowed`, `BadInput`."""
    case = ensure_case(principal=principal, reference=str(case.pk))
    Membership.objects.get_or_create(case=case, user=known_user(user_name))


def normal_name(name: str) -> str:
    """A domain name as tables hold it: lower case, no final dot. Raises `BadInput`."""
    found = name.strip().lower().removesuffix(".")
    if not _NAME.fullmatch(found):
        raise BadInput(f"{name[:80]!r} is not a domain name to watch; write it as mail.example.net")
    return found


def watch_names(*, principal: Principal, case: Case, names: list[str]) -> list[str]:
    """Add names to those that the case watches; all that it now watches."""
    case = ensure_case(principal=principal, reference=str(case.pk))
    for name in names:
        CaseName.objects.get_or_create(case=case, name=normal_name(name))
    return list(case.names.order_by("name").values_list("name", flat=True))


def create_token(*, user_name: str, scopes: list[str]) -> tuple[str, AccessToken]:
    """A token and its row; the user is made if there is none. Only the token's digest is kept. Raises `BadInput`."""
    unknown = set(scopes) - set(SCOPES)
    if unknown or not scopes:
        raise BadInput(f"scopes {sorted(unknown)}: write some of {','.join(SCOPES)}")
    text = "custos_" + secrets.token_urlsafe(32)
    with transaction.atomic():
        user = ensure_user(user_name=user_name, auditor="audit" in scopes)
        token = AccessToken.objects.create(user=user, digest=_digest(text), scopes=sorted(set(scopes)))
    return text, token


def known_user(user_name: str) -> User:
    """The user of this name. Raises `BadInput` if there is none."""
    user = None if "\0" in user_name else User.objects.filter(username=user_name).first()
    if user is None:
        raise BadInput(
            f"there is no user {user_name[:80]!r}; look how the name is written, or an administrator makes the user "
            "with manage.py sign_in_link --user NAME --new"
        )
    return user


def ensure_user(*, user_name: str, auditor: bool = False, administrator: bool = False) -> User:
    """The user of this name, made if there is none, with at least these rights. Raises `BadInput`."""
    if not re.fullmatch(r"[\w.@+-]{1,150}", user_name):
        raise BadInput(f"the user name {user_name[:80]!r}: write letters, digits and . @ + - _")
    user, _ = User.objects.get_or_create(username=user_name)
    user.is_auditor |= auditor
    user.is_staff |= administrator
    user.is_superuser |= administrator
    user.save(update_fields=["is_auditor", "is_staff", "is_superuser"])
    return user


def tokens_of(user_name: str = "") -> list[AccessToken]:
    """All tokens of a user, or of everybody, the oldest first. Raises `BadInput` if there is no such user."""
    rows = AccessToken.objects.select_related("user").order_by("created")
    return list(rows.filter(user=known_user(user_name)) if user_name else rows)


def known_token(reference: str) -> AccessToken:
    """The token of this id, or the one that this text itself is. Raises `BadInput`."""
    identifier = as_uuid(reference)
    which = Q(pk=identifier) if identifier else Q(digest=_digest(reference))
    token = AccessToken.objects.select_related("user").filter(which).first()
    if token is None:  # its text is not repeated: it may be one of another archive
        raise BadInput("there is no token of this id or text; manage.py tokens list shows the ids")
    return token


def revoke_tokens(tokens: Iterable[AccessToken]) -> list[AccessToken]:
    """End tokens for good, from the next request on; those that were still good. The log says of each when."""
    ended = []
    for token in tokens:
        if AccessToken.objects.filter(pk=token.pk, revoked=None).update(revoked=timezone.now()):
            _log.warning("token_revoked", token=str(token.pk), user=token.user.username)
            ended.append(token)
    return ended


def authenticate_token(text: str) -> AccessToken:
    """The row of a token that is good. Raises `NotVisible` with what to do."""
    token = AccessToken.objects.select_related("user").filter(digest=_digest(text)).first()
    advice = "an administrator makes one with manage.py token --user NAME"
    if token is None:
        raise NotVisible(f"the token is not known; {advice}")
    if token.revoked is not None:
        raise NotVisible(f"the token was revoked at {token.revoked:%Y-%m-%d %H:%M} UTC; {advice}")
    if not token.user.is_active:
        raise NotVisible("the token's user has no access any more; ask an administrator")
    return token


def create_sign_in_link(*, user: User) -> str:
    """The path of a link that lets this user in once, within a day."""
    text = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, digest=_digest(text), expires=timezone.now() + LINK_LIFE)
    return f"/sign-in/{text}"


def find_sign_in_link(text: str) -> SignInLink:
    """A link that is still good. Raises `NotVisible` with what to do."""
    link = SignInLink.objects.select_related("user").filter(digest=_digest(text)).first()
    advice = "an administrator makes a new one with: manage.py sign_in_link --user NAME"
    if link is None:
        raise NotVisible(f"this sign-in link is not known; {advice}")
    if link.used is not None or link.expires < timezone.now():
        raise NotVisible(f"this sign-in link was used already or is older than a day; {advice}")
    return link


def use_sign_in_link(text: str) -> User:
    """Consume the link: of two who come with it, one gets in. Raises `NotVisible`."""
    link = find_sign_in_link(text)
    if SignInLink.objects.filter(pk=link.pk, used=None).update(used=timezone.now()) != 1:
        raise NotVisible("this sign-in link was used a moment ago")
    return link.user


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
