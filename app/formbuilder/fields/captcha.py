"""Where the check against programs stands. The form's own page draws it, when the school has the keys of one."""

from app.core.i18n import lazy
from app.formbuilder.fields.kinds import Kind


class Captcha(Kind):
    name = "captcha"
    label = lazy("Check against programs")
    group = "layout"
    icon = "fingerprint-pattern"
    value_class = "none"
    has_answer = False
    can_be_required = False


KIND = Captcha()
