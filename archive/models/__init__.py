"""The rows: one file per aggregate. Django needs them importable from here."""

from archive.models.blob import Blob
from archive.models.custody import CustodyEvent, CustodyObject
from archive.models.log import Checkpoint, Leaf, TileRoot
from archive.models.party import AccessToken, Case, CaseName, Membership, SignInLink, User
from archive.models.pulse import Pulse
from archive.models.run import Run, RunInput, RunOutput
from archive.models.submission import Submission

__all__ = [
    "AccessToken",
    "Blob",
    "Case",
    "CaseName",
    "Checkpoint",
    "CustodyEvent",
    "CustodyObject",
    "Leaf",
    "Membership",
    "Pulse",
    "Run",
    "RunInput",
    "RunOutput",
    "SignInLink",
    "Submission",
    "TileRoot",
    "User",
]
