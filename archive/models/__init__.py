"""The rows: one file per aggregate. Django needs them importable from here."""

from archive.models.alarm import Alarm
from archive.models.blob import Blob, BlobMove, Deaccession, Fixity, Segments
from archive.models.care import AccessWindow, Handover
from archive.models.custody import CustodyEvent, CustodyObject
from archive.models.key import KeyEnd, KeyVersion, Signing
from archive.models.log import Checkpoint, Cosignature, Leaf, PendingLeaf, TileRoot, Timestamp
from archive.models.party import AccessToken, Case, CaseName, Membership, SignInLink, User
from archive.models.pause import Pause
from archive.models.pulse import Pulse
from archive.models.run import Run, RunInput, RunOutput
from archive.models.submission import Submission
from archive.models.units import PendingTree, UnitTree

__all__ = [
    "AccessToken",
    "AccessWindow",
    "Alarm",
    "Blob",
    "BlobMove",
    "Case",
    "CaseName",
    "Checkpoint",
    "Cosignature",
    "CustodyEvent",
    "CustodyObject",
    "Deaccession",
    "Fixity",
    "Handover",
    "KeyEnd",
    "KeyVersion",
    "Leaf",
    "Membership",
    "Pause",
    "PendingLeaf",
    "PendingTree",
    "Pulse",
    "Run",
    "RunInput",
    "RunOutput",
    "Segments",
    "SignInLink",
    "Signing",
    "Submission",
    "TileRoot",
    "Timestamp",
    "UnitTree",
    "User",
]
