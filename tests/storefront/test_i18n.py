"""Both languages are complete: every marked sentence has its Chinese, with the same placeholders."""

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir

from runtime.facts import Fact
from storefront import i18n

ROOT = Path(i18n.__file__).parent.parent
PACKAGES = ("runtime", "inventory", "kyc", "logistics", "checkout", "storefront")
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"templates/**.html": {"extensions": "jinja2.ext.i18n,jinja2.ext.do", "silent": "false"}}
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")


def marked() -> dict[str, str]:
    """Every sentence marked for translation, and where."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        for name, line, message, _, _ in extract_from_dir(str(ROOT / package), METHODS, OPTIONS, KEYWORDS):
            sentence = message if isinstance(message, str) else message[-1]
            found[sentence] = f"{package}/{name}:{line}"
    return found


def chinese() -> dict[str, str]:
    told = {}
    for message in i18n.catalogue("zh"):
        if message.id:
            sentence = message.id if isinstance(message.id, str) else message.id[-1]
            translated = message.string or ""
            told[sentence] = translated if isinstance(translated, str) else translated[0]
    return told


def test_every_marked_sentence_has_its_chinese() -> None:
    told = chinese()
    assert {where: text for text, where in marked().items() if not told.get(text)} == {}


def test_no_translation_is_a_guess() -> None:
    assert [message.id for message in i18n.catalogue("zh") if message.fuzzy] == []


def test_translations_keep_the_placeholders() -> None:
    wrong = {
        text: zh
        for text, zh in chinese().items()
        if sorted(PLACEHOLDER.findall(text)) != sorted(PLACEHOLDER.findall(zh))
    }
    assert wrong == {}


def test_a_facts_sentence_is_told_in_the_language_of_the_page() -> None:
    class Late(Fact):
        code = "late"
        text = "Please sign in first."

    with i18n.speaking("zh"):
        assert i18n.sentence(Late()) == "请先登录。"
    with i18n.speaking("en"):
        assert i18n.sentence(Late()) == "Please sign in first."


def test_an_unknown_language_means_the_default() -> None:
    with i18n.speaking("fr"):
        assert i18n.spoken() == "zh"
