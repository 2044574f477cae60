"""WTForms of the form builder's own pages. The forms that it builds are not made of these."""

from wtforms import IntegerField, StringField
from wtforms.validators import DataRequired, Length

from app.core.i18n import lazy
from app.web.forms import BaseForm


class NewForm(BaseForm):
    """What a form begins with."""

    title = StringField(lazy("Name"), validators=[DataRequired(), Length(max=120)])


class ErasureForm(BaseForm):
    """Whose entries go."""

    email = StringField(lazy("Email address"), validators=[DataRequired(), Length(max=254)])


class TrialForm(BaseForm):
    """How many visitors of each of two versions are waited for."""

    planned = IntegerField(lazy("Look after so many visitors of each"), default=500)
