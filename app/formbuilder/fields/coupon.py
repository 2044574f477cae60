"""The code of a coupon. Whether it is good is for the shop to say."""

import re

from app.core.i18n import _, lazy
from app.formbuilder.fields.kinds import Kind, Wrong
from app.formbuilder.models import Answer, Field, Posted

_CODE = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,39}")


class Coupon(Kind):
    name = "coupon"
    label = lazy("Coupon")
    group = "money"
    icon = "ticket-percent"

    def read(self, field: Field, posted: Posted) -> Answer:
        return posted.one(field.id).upper() or None

    def check(self, field: Field, answer: Answer) -> None:
        if not _CODE.fullmatch(answer):
            raise Wrong(_("A code has letters, digits and hyphens only."))


KIND = Coupon()
