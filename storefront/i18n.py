"""Languages: Chinese and English, catalogues compiled in memory, the language of the page being made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from runtime.facts import Fact, Filled

LANGUAGES = {"zh": "中文", "en": "English"}
DEFAULT = "zh"
CATALOGUES = Path(__file__).parent / "locale"

_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Everything translated inside is in this language; an unknown one means the default."""
    token = _language.set(language if language in LANGUAGES else DEFAULT)
    try:
        yield
    finally:
        _language.reset(token)


def spoken() -> str:
    """The language of the page being made."""
    return _language.get()


def gettext(text: str) -> str:
    """The sentence in the language of the page; one with values has them filled in again."""
    if isinstance(text, Filled):
        return translations(spoken()).gettext(text.template).format(**text.values)
    return translations(spoken()).gettext(text)


def gettext_for(language: str) -> Callable[[str], str]:
    """The translation of sentences into one language, for answers that are no pages."""
    return translations(language).gettext


def ngettext(one: str, many: str, count: int) -> str:
    return translations(spoken()).ngettext(one, many, count)


def pgettext(context: str, text: str) -> str:
    return translations(spoken()).pgettext(context, text)


def npgettext(context: str, one: str, many: str, count: int) -> str:
    return translations(spoken()).npgettext(context, one, many, count)


def sentence(fact: Fact) -> str:
    """What a fact says to people, in their language; its details fill the sentence's %(names)s."""
    text = gettext(fact.sentence)
    return text % fact.details if "%(" in text else text


def catalogue(language: str) -> Catalog:
    """The committed .po file of a language."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


@lru_cache
def translations(language: str) -> NullTranslations:
    """English is the source and needs no catalogue."""
    if language == "en":
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)
