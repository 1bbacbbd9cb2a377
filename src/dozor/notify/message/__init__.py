"""What people read: which service and environment, what, since when, how bad, what to do first, and what was seen.

`compose` puts a notification into words in the reader's language; a channel adds its markup, `text` none.
"""

from dozor.notify.message.compose import AlertText, MessageText, compose, line, link
from dozor.notify.message.figures import Dates
from dozor.notify.message.languages import LANGUAGES
from dozor.notify.message.render import text
from dozor.notify.message.texts import Headings

__all__ = ["LANGUAGES", "AlertText", "Dates", "Headings", "MessageText", "compose", "line", "link", "text"]
