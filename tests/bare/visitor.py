"""Somebody with a browser that knows links and forms and nothing else: no script, no picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx


@dataclass
class Form:
    """A form as the page has it, filled with what stands in its fields."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """A page that was answered: its links, its forms, its words."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response
        self.url = str(response.url)
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._words: list[str] = []
        self._by_id: dict[str, Form] = {}
        self._loose: list[tuple[str, dict[str, str | None]]] = []
        self._form: Form | None = None
        self._select = ""
        self._silent = False
        self.feed(response.text)
        for owner, attributes in self._loose:
            if owner in self._by_id:
                self._fill(self._by_id[owner], "input", attributes)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self._words)).strip()

    def link(self, pattern: str) -> str:
        """Return the first link whose path matches, as a whole."""
        for link in self.links:
            if re.fullmatch(pattern, urlsplit(link).path):
                return link
        raise AssertionError(f"{self.url} has no link like {pattern}; it has {self.links}")

    def form(self, action: str) -> Form:
        """Return the first form whose address contains `action`."""
        for form in self.forms:
            if action in form.action:
                return form
        raise AssertionError(f"{self.url} has no form to {action}; it has {[form.action for form in self.forms]}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._silent = self._silent or tag in ("script", "style")
        if tag == "a" and attributes.get("href"):
            self.links.append(urljoin(self.url, attributes["href"] or ""))
        elif tag == "form":
            action = urljoin(self.url, attributes.get("action") or self.url)
            self._form = Form(action, (attributes.get("method") or "get").lower())
            self._by_id[attributes.get("id") or ""] = self._form
            self.forms.append(self._form)
        elif tag in ("input", "select", "textarea", "option", "button"):
            if attributes.get("form"):
                self._loose.append((attributes["form"] or "", attributes))
            elif self._form is not None:
                self._fill(self._form, tag, attributes)

    def _fill(self, form: Form, tag: str, attributes: dict[str, str | None]) -> None:
        name, kind = attributes.get("name") or "", attributes.get("type") or "text"
        value = attributes.get("value") or ""
        form.names.add(name)
        if tag == "select":
            self._select = name
        elif tag == "option":
            if "selected" in attributes or self._select not in form.fields:
                form.fields[self._select] = value
        elif tag == "button" or kind in ("submit", "image"):
            if name and name not in form.fields:
                form.fields[name] = value
        elif kind in ("checkbox", "radio"):
            if name and "checked" in attributes:
                form.fields[name] = value or "on"
        elif name and kind != "file":
            form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag in ("script", "style"):
            self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words.append(data)


class Visitor:
    """One browser with its cookies."""

    def __init__(self, base_url: str) -> None:
        self.client = httpx.Client(base_url=base_url, follow_redirects=True, timeout=15, trust_env=False)

    def open(self, address: str) -> Page:
        """Follow a link. Fails unless the page is answered with 200."""
        return self._page(self.client.get(address, headers={"Sec-Fetch-Site": "same-origin"}))

    def send(self, page: Page, action: str, **values: str) -> Page:
        """Fill the form to `action` and send it. Fails when the form lacks a field, or the answer is not 200."""
        form = page.form(action)
        missing = set(values) - form.names
        assert not missing, f"the form to {form.action} has no field {missing}; it has {form.names}"
        sent = {**form.fields, **values}
        if form.method == "get":
            return self._page(self.client.get(form.action, params=sent))
        parts = urlsplit(page.url)
        headers = {"Origin": f"{parts.scheme}://{parts.netloc}", "Sec-Fetch-Site": "same-origin"}
        return self._page(self.client.post(form.action, data=sent, headers=headers))

    def _page(self, response: httpx.Response) -> Page:
        page = Page(response)
        request = response.request
        assert response.status_code == 200, (
            f"{request.method} {request.url} answered {response.status_code}: {page.words[:400]}"
        )
        return page
