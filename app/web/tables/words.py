"""The words that a search is for, as `search_words(…)` and its index know them."""

# Of a word, so much is looked at.
_LONGEST = 200
# A word of so few letters begins so many others that a page of rows is met sooner along the list than in the words' index.
_SHORT = 2


def begin_words(text: str) -> str:
    """A tsquery for `search_words(…)`: every word of `text` must begin one of the row's."""
    return " & ".join(f"{word}:*" for word in _lexemes(text))


def whole_words(text: str) -> str:
    """A tsquery for `search_words(…)`: every word of `text` must be one of the row's."""
    return " & ".join(_lexemes(text))


def is_short(text: str) -> bool:
    """Whether words of one or two letters are searched for, and nothing longer."""
    return max(map(len, text.lower().split()), default=0) <= _SHORT


def letters_of(text: str) -> list[str]:
    """The words of `text` as `word_beginnings(…)` has them: each is one of the row's beginnings."""
    return text.lower().split()[:6]


def _lexemes(text: str) -> list[str]:
    words = text.lower().split()[:6]
    return ["'" + word[:_LONGEST].replace("\\", "\\\\").replace("'", "''") + "'" for word in words]
