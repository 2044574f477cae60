"""What a browser would send of a properties panel as it is drawn."""

from html.parser import HTMLParser


class Panel(HTMLParser):
    """The controls of the form with this id, also those outside that belong to it."""

    def __init__(self, page: str, form: str = "field-form") -> None:
        super().__init__(convert_charrefs=True)
        self.sent: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self._form, self._inside = form, False
        self._text: tuple[str, list[str]] | None = None
        self._select = ""
        self._first = False
        self.feed(page)

    @property
    def texts(self) -> dict[str, list[str]]:
        """{name: values}, as a browser posts them."""
        found: dict[str, list[str]] = {}
        for name, value in self.sent:
            found.setdefault(name, []).append(value)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = told.get("id") == self._form
        if not self._inside:
            return
        if told.get("id"):
            self.ids.append(told["id"])
        name = told.get("name", "")
        if tag == "input" and name and "disabled" not in told:
            kind = told.get("type", "text")
            if kind not in ("checkbox", "radio"):
                self.sent.append((name, told.get("value", "")))
            elif "checked" in told:
                self.sent.append((name, told.get("value", "on")))
        elif tag == "textarea":
            self._text = (name, [])
        elif tag == "select":
            self._select, self._first = name, True
        elif tag == "option" and self._select:
            if self._first:
                self.sent.append((self._select, told.get("value", "")))
            elif "selected" in told:
                self.sent[-1] = (self._select, told.get("value", ""))
            self._first = False

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._text is not None:
            # The line end behind <textarea> is none of its text.
            self.sent.append((self._text[0], "".join(self._text[1]).removeprefix("\n")))
            self._text = None
