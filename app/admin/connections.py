"""Which outside services are connected, and what stands in for those that are not. Keys are never shown."""

from dataclasses import dataclass

from app.config import GOOGLE, Config
from app.core.i18n import _


@dataclass(frozen=True, slots=True)
class Service:
    """An outside service: what for, which one, connected or a stand-in."""

    label: str
    what: str
    connected: bool


def connected(config: Config) -> list[Service]:
    """Payments, mail, files and who vouches for people, as the environment sets them."""
    return [_payments(config), _mail(config), _files(config), _identity(config)]


def _payments(config: Config) -> Service:
    if not config.stripe_secret:
        return Service(_("Payments"), _("None: only free courses can be had"), False)
    if config.stripe_api_base:
        return Service(_("Payments"), _("The local Stripe, test cards only"), False)
    mode = _("Stripe, test mode") if "_test_" in config.stripe_secret.reveal() else _("Stripe, live")
    return Service(_("Payments"), mode, True)


def _mail(config: Config) -> Service:
    if config.postmark_token:
        return Service(_("Mail"), "Postmark", True)
    if config.smtp_host:
        return Service(_("Mail"), _("SMTP, %(host)s", host=config.smtp_host), True)
    return Service(_("Mail"), _("A mailbox on this machine; nothing leaves it"), False)


def _files(config: Config) -> Service:
    if config.r2_bucket:
        return Service(_("Files"), _("Bucket %(name)s", name=config.r2_bucket), True)
    return Service(_("Files"), _("The disk of this machine"), False)


def _identity(config: Config) -> Service:
    if not config.google_client_id:
        return Service(_("Sign-in"), _("No Google: its button is not shown"), False)
    if config.google_issuer != GOOGLE:
        return Service(_("Sign-in"), _("The local Google, which believes everybody"), False)
    return Service(_("Sign-in"), "Google", True)
