"""WTForms of the form builder's own pages. The forms that it builds are not made of these."""

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.core.i18n import lazy
from app.web.forms import BaseForm


class NewForm(BaseForm):
    """What a form begins with."""

    title = StringField(lazy("Name"), validators=[DataRequired(), Length(max=120)])


class ErasureForm(BaseForm):
    """Whose entries go."""

    email = StringField(lazy("Email address"), validators=[DataRequired(), Length(max=254)])
