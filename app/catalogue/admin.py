"""The back office's page of a course's price."""

from quart import Blueprint, Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.catalogue import products, queries
from app.catalogue.forms import PriceForm
from app.core.errors import Invalid, NotFound
from app.core.i18n import _
from app.core.money import format_money, parse_money, plain_amount
from app.core.settings import school
from app.courses import courses
from app.courses.models import Course
from app.web.flash import flash
from app.web.forms import submitted
from app.web.guards import requires
from app.web.render import page

admin = Blueprint("catalogue_admin", __name__, url_prefix="/admin")


@admin.get("/courses/<public_id>/price")
@requires("courses.price")
async def show_price(public_id: str) -> Response:
    """What the course costs, and what it has cost."""
    return await _price_page(await _course(public_id))


@admin.post("/courses/<public_id>/price")
@requires("courses.price")
async def update_price(public_id: str) -> Response | BaseResponse:
    """Give the course a new price."""
    course = await _course(public_id)
    form = await submitted(PriceForm)
    if not form.validate():
        return await _price_page(course, form, status=422)
    try:
        amount = parse_money(form.price.data, form.currency.data)
        offer = await products.set_price(course.id, amount, form.currency.data)
    except ValueError:
        form.refuse(Invalid(_("Write an amount such as 249 or 249.50."), field="price"))
        return await _price_page(course, form, status=422)
    except Invalid as error:
        form.refuse(error)
        return await _price_page(course, form, status=422)
    flash(_("The price is %(price)s from now on.", price=format_money(offer.amount_minor, offer.currency)))
    return redirect(url_for(".show_price", public_id=public_id), 303)


@admin.post("/courses/<public_id>/sale")
@requires("courses.price")
async def create_sale(public_id: str) -> BaseResponse:
    """Put the course back on sale."""
    course = await _course(public_id)
    await products.start_selling(course.id)
    flash(_("The course is for sale again."))
    return redirect(url_for(".show_price", public_id=public_id), 303)


@admin.post("/courses/<public_id>/sale/end")
@requires("courses.price")
async def end_sale(public_id: str) -> BaseResponse:
    """Take the course off sale."""
    course = await _course(public_id)
    await products.stop_selling(course.id)
    flash(
        _("The course is no longer for sale. Those who own it keep it."),
        undo_url=url_for(".create_sale", public_id=public_id),
    )
    return redirect(url_for(".show_price", public_id=public_id), 303)


async def _course(public_id: str) -> Course:
    course = await courses.find_by_public_id(public_id)
    if course is None:
        raise NotFound()
    return course


async def _price_page(course: Course, form: PriceForm | None = None, *, status: int = 200) -> Response:
    offer = await products.offer_of_course(course.id)
    filled = {
        "price": plain_amount(offer.amount_minor, offer.currency) if offer else "",
        "currency": offer.currency if offer else (await school()).currency,
    }
    return await page(
        "catalogue/admin/price.html",
        status=status,
        course=course,
        form=form or PriceForm(data=filled),
        offer=offer,
        history=await queries.price_history(course.id),
    )
