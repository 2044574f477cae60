"""What forms take in."""

from werkzeug.datastructures import MultiDict
from wtforms import PasswordField, SelectField, StringField, TextAreaField
from wtforms.widgets import Select

from app.web.forms import BaseForm, options, time_zones


class Letter(BaseForm):
    name = StringField()
    text = TextAreaField()
    password = PasswordField()


def test_a_line_stays_one_line_and_a_text_keeps_its_lines() -> None:
    sent = " Gus\r\nBcc: all@example.org\u2028x "
    form = Letter(MultiDict({"name": sent, "text": sent, "password": sent}))
    assert form.name.data == "Gus Bcc: all@example.org x"
    assert form.text.data == sent.strip()
    assert form.password.data == sent


def test_a_select_is_drawn_as_wtforms_draws_it() -> None:
    class Choices(BaseForm):
        one = SelectField(
            choices=options([("", "None"), ("a", "Ann & <Bo>"), ('"><b>', "'\""), (3, "Three"), ("bare", "")]),
            render_kw={"class": "select"},
        )

    form = Choices(data={"one": "a"})
    assert 'selected value="a">Ann &amp; &lt;Bo&gt;<' in str(form.one())
    assert str(form.one(disabled=True)) == str(Select()(form.one, disabled=True, **{"class": "select"}))


def test_time_zones_are_places_and_utc() -> None:
    found = [each.value for each in time_zones()]
    assert {"UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Asia/Kathmandu"} <= set(found)
    assert not [name for name in found if name.startswith("Etc/") or ("/" not in name and name != "UTC")]
    assert len(found) == len(set(found))
