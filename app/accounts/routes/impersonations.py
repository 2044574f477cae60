"""The way back from looking as another person."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from app.accounts import impersonations
from app.accounts.routes import routes
from app.core.i18n import _
from app.web.flash import flash
from app.web.guards import signed_in


@routes.post("/impersonation/end")
@signed_in(while_acting=True)
async def delete_impersonation() -> ResponseReturnValue:
    """Be oneself again, on the page of the person who was looked at; harmless when nobody is acted as."""
    subject = await impersonations.leave()
    if subject is None:
        return redirect("/", 303)
    flash(_("You are yourself again."))
    return redirect(url_for("accounts_admin.show_person", public_id=subject) if subject else "/admin", 303)
