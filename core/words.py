"""The reader's language, asked for once a page, and its sentences, looked up once a process."""

from functools import lru_cache

from django.utils import translation
from django.utils.translation import get_language


class Words:
    """What a page says, in one language; called with a sentence like gettext, and named `_` as that is.

    Django asks for the language with every sentence, which costs a page of many more than its
    numbers do.
    """

    def __init__(self, language: str) -> None:
        self.is_japanese = language == "ja"
        self._language = language
        self._known: dict[str, str] = {}

    def __call__(self, sentence: str) -> str:
        """Return a sentence of the catalogue in this language."""
        said = self._known.get(sentence)
        if said is None:
            with translation.override(self._language):
                said = self._known[sentence] = translation.gettext(sentence)
        return said


def current() -> Words:
    """Return the words of the language that is active."""
    return _words(get_language() or "en")


@lru_cache(maxsize=8)
def _words(language: str) -> Words:
    return Words(language)
