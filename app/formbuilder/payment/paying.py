"""Between a form and its payment page: leading there, waiting for the truth, and coming back with everything kept."""

from collections.abc import Mapping

from quart import Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.core.errors import Conflict, Unavailable
from app.formbuilder.definition import readings
from app.formbuilder.models import Entry, Form
from app.formbuilder.payment import payments, releases
from app.web.render import page

# After how many seconds the page looks again: a bank takes days.
_WAITS = {"processing": "60"}


def path_of(form: Form, entry: Entry) -> str:
    """Where an entry says how its payment stands; only its sender gets this address."""
    return f"/forms/{form.slug}/payments/{payments.token_of(entry)}"


async def lead_on(form: Form, entry: Entry) -> Response | BaseResponse:
    """To the payment page of an entry, or to where it says how it stands."""
    try:
        await releases.order_asked_for(form, entry)
        url = await payments.lead_on(form, entry)
    except (Conflict, Unavailable) as error:
        status = 503 if isinstance(error, Unavailable) else 409
        return await waiting_page(form, entry, trouble=error.message, status=status)
    return redirect(url or path_of(form, entry), 303)


async def waiting_page(
    form: Form, entry: Entry, *, trouble: str = "", status: int = 200, is_embedded: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """How an unpaid entry stands. Coming back proves nothing: what the payment service tells us does."""
    order = await payments.order_of(entry.id)
    is_open = order is not None and (order.is_open or order.is_paid)
    looks_again = is_open and request.method == "GET"
    return await page(
        "formbuilder/payment.html",
        status=status,
        form=form,
        definition=readings.of(form),
        path=path_of(form, entry),
        token=payments.token_of(entry),
        is_open=is_open,
        is_asked=await releases.is_asked(entry),
        is_embedded=is_embedded,
        order=order,
        trouble=trouble,
        headers={"Cache-Control": "no-store", **(headers or {})}
        | ({"Refresh": _WAITS.get(order.state, "3")} if looks_again and order else {}),
    )
