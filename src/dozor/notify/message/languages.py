"""The languages that Dozor speaks."""

from collections.abc import Mapping
from typing import Final

from dozor.notify.message.english import ENGLISH
from dozor.notify.message.russian import RUSSIAN
from dozor.notify.message.texts import Texts

LANGUAGES: Final[Mapping[str, Texts]] = {texts.language: texts for texts in (ENGLISH, RUSSIAN)}


def texts_of(locale: str) -> Texts:
    """The texts of *locale*, one of `LANGUAGES`."""
    return LANGUAGES[locale]
