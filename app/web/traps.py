"""Forms that anybody may send, and what tells people from programs there: a field that people do not see, the time that
the form was open, and the captcha where one is set up.

    form = await submitted(ForgotForm)                      # class ForgotForm(TrappedForm)
    if form.is_trapped(): …the answer of success, for nothing
    if form.validate() and await captcha_passes(form, "forgot"): …
    return await page("…", status=422, headers=captcha_headers(), form=form)

The template draws `ui.honeypot(form.website)`, `form.opened` and `ui.captcha("forgot")`, and `ui.captcha_script()` in its
block `scripts`.
"""

from typing import Any

from quart import current_app, request
from wtforms import HiddenField, StringField

from app.core import clock, limits, tokens
from app.core.i18n import _
from app.core.i18n import lazy as _l
from app.core.limits import Limit
from app.gateways.captcha import Captcha
from app.web.forms import BaseForm
from app.web.request import client_address, client_network

# Nobody fills a form in less; a program does. The page is good for a day.
TOO_FAST_SECONDS = 1
TOO_OLD_SECONDS = 24 * 3600
FIELD = "cf-turnstile-response"
# While the captcha's provider is away, for all such forms together, from one place.
WITHOUT = Limit(3, 10 * 60)


class HoneypotForm(BaseForm):
    """With a field that people do not see and programs fill in."""

    website = StringField(_l("Leave this empty"))

    def is_trapped(self) -> bool:
        """Whether the invisible field was filled in."""
        return bool(self.website.data)


class TrappedForm(HoneypotForm):
    """With the moment at which it was shown, too. Made with `data={"opened": opened_stamp()}`."""

    opened = HiddenField()

    def validate(self, extra_validators: Any = None) -> bool:
        """Also refuses a form that was sent at once, or whose stamp is not ours; a person's second press passes."""
        valid = super().validate(extra_validators)
        opened = tokens.unsign(self.opened.data or "", "register-form")
        seconds = clock.now().timestamp() - opened if isinstance(opened, int | float) else None
        known = seconds is not None and seconds <= TOO_OLD_SECONDS
        if known and seconds is not None and seconds >= TOO_FAST_SECONDS:
            return valid
        if not known:
            self.opened.data = opened_stamp()
        self.form_errors.append(_("That went very fast. Please press the button once more."))
        return False


def opened_stamp() -> str:
    """The moment a form was shown, signed."""
    return tokens.sign(clock.now().timestamp(), "register-form")


def captcha() -> Captcha | None:
    """The captcha that is set up, if any."""
    found: Captcha | None = current_app.config["CAPTCHA"]
    return found


def captcha_headers() -> dict[str, str]:
    """For a page that shows the captcha: its policy lets the provider's script and frame in. No other page's does."""
    return {"Content-Security-Policy": current_app.config["CAPTCHA_POLICY"]} if captcha() is not None else {}


async def captcha_passes(form: BaseForm, action: str) -> bool:
    """Whether the captcha of this form was solved, or none is set up; else the form says what to do.

    While the provider is away it counts as solved, a few times: raises TooMany then.
    """
    passed = await is_person(action)
    if not passed:
        form.form_errors.append(_("We could not see that you are a person. Please try once more."))
    return passed


async def is_person(action: str) -> bool:
    """Whether the captcha that was sent along was solved, or none is set up. Raises TooMany as above."""
    gate = captcha()
    if gate is None:
        return True
    token = (await request.form).get(FIELD, "")
    verdict = await gate.check(token, action=action, address=client_address())
    if verdict == "away":
        await limits.check("without-captcha", client_network(), WITHOUT)
    return verdict != "failed"
