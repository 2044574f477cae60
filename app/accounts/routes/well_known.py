"""What programs look for at fixed places (RFC 8615): where to report a weakness, where to change a password."""

from datetime import UTC, datetime, time, timedelta
from email.utils import parseaddr

from quart import Response, current_app, redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts.routes import routes
from app.config import Config
from app.core import clock, i18n
from app.core.settings import school
from app.web.guards import public

# RFC 9116 wants less than a year; whoever keeps a copy should ask again soon.
GOOD_FOR = timedelta(days=90)


@routes.get("/.well-known/security.txt")
@public()
async def show_security_contact() -> ResponseReturnValue:
    """Whom to tell of a weakness, as RFC 9116 says."""
    config: Config = current_app.config["LECTERN"]
    contact = config.security_contact or parseaddr((await school()).mail_sender or config.from_email)[1]
    expires = datetime.combine((clock.now() + GOOD_FOR).date(), time(), UTC)
    lines = [
        f"Contact: {contact if contact.startswith('https://') else f'mailto:{contact}'}",
        f"Expires: {expires.isoformat().replace('+00:00', 'Z')}",
        f"Preferred-Languages: {i18n.locale()}",
        f"Canonical: {config.app_url.rstrip('/')}/.well-known/security.txt",
        "",
    ]
    return Response(
        "\n".join(lines),
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "public, max-age=86400"},
    )


@routes.get("/.well-known/change-password")
@public()
async def show_change_password() -> ResponseReturnValue:
    """Where keepers of passwords send their people (W3C, A Well-Known URL for Changing Passwords)."""
    return redirect(url_for("accounts.show_account", _anchor="password"), 303)
