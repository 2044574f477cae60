"""What forms take in."""

from werkzeug.datastructures import MultiDict
from wtforms import PasswordField, StringField, TextAreaField

from app.web.forms import BaseForm


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
