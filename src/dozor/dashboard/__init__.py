"""The pages for people: the overview without JavaScript, an alert, the description of the API."""

from dozor.dashboard.routes import add_docs, add_page

__all__ = ["add_docs", "add_page"]
