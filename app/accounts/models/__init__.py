"""People and how they prove who they are, as plain data: one module a noun."""

from app.accounts.models.impersonations import Impersonation, Look, Visit
from app.accounts.models.links import EmailChange, Link, SignInLink
from app.accounts.models.people import Credentials, Note, PersonFacts, Role, Tag, User
from app.accounts.models.privacy import Consent, Erasure, PersonalExport
from app.accounts.models.proofs import AccessToken, ConnectedIdentity, Factors, KnownPasskey, Passkey, TokenBearer
from app.accounts.models.sessions import Begun, PendingSignIn, Session, SignedIn

__all__ = [
    "AccessToken",
    "Begun",
    "ConnectedIdentity",
    "Consent",
    "Credentials",
    "EmailChange",
    "Erasure",
    "Factors",
    "Impersonation",
    "KnownPasskey",
    "Link",
    "Look",
    "Note",
    "Passkey",
    "PendingSignIn",
    "PersonFacts",
    "PersonalExport",
    "Role",
    "Session",
    "SignInLink",
    "SignedIn",
    "Tag",
    "TokenBearer",
    "User",
    "Visit",
]
