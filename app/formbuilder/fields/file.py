"""Files of any of several types."""

from app.core.i18n import lazy
from app.formbuilder.fields.attached import Attached


class FileField(Attached):
    name = "file"
    label = lazy("Files")


KIND = FileField()
