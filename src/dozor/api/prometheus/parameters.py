"""What a request says, in the query or in a form: Prometheus reads both, and so do its clients write."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from dozor.api.auth import read_body
from dozor.api.prometheus.envelope import ApiError, ErrorType, bad_parameter
from dozor.duration import parse_duration
from dozor.errors import PromQLError
from dozor.promql import parse_selector
from dozor.store import Matchers

EARLIEST, LATEST = -9_223_372_036_854_775.0, 9_223_372_036_854_775.0
"""The seconds that Prometheus' milliseconds can hold."""

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 1000
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
# How Go's client writes "from the beginning" and "to the end"; Python's dates do not reach so far.
_FAR_TIMES: Final = {"-292273086-05-16T16:47:06Z": EARLIEST, "292277025-08-18T07:12:54.999999999Z": LATEST}


class Parameters:
    """The parameters of one request. Every reading method raises `ApiError` for what cannot be read.

    Attributes:
        path: those that stand in the path.
    """

    def __init__(self, pairs: list[tuple[str, str]], path: Mapping[str, str]) -> None:
        self._pairs, self.path = pairs, path

    def all(self, name: str) -> list[str]:
        """Every value given for *name*."""
        return [value for key, value in self._pairs if key == name]

    def get(self, name: str) -> str:
        """The first value of *name*; empty where there is none."""
        return next((value for key, value in self._pairs if key == name), "")

    def time(self, name: str, default: float | None = None) -> float:
        """A moment, in Unix seconds: a number or RFC 3339. Without a *default* it must be there."""
        text = self.get(name)
        if not text and default is not None:
            return default
        found = _moment(text)
        if found is None:
            where = "" if default is None else f"Invalid time value for '{name}': "
            raise bad_parameter(name, f'{where}cannot parse "{text[:60]}" to a valid timestamp')
        return min(max(found, EARLIEST), LATEST)

    def duration(self, name: str, default: float | None = None) -> float:
        """Seconds: a number, or as in `1h30m`. Without a *default* it must be there."""
        text = self.get(name)
        if not text and default is not None:
            return default
        number = _number(text)
        if number is not None and abs(number) <= LATEST:
            return number
        try:
            return parse_duration(text)
        except ValueError:
            raise bad_parameter(name, f'cannot parse "{text[:60]}" to a valid duration') from None

    def integer(self, name: str, default: int) -> int:
        """A whole number."""
        text = self.get(name)
        if not text:
            return default
        if not _INTEGER.fullmatch(text):
            raise ApiError(ErrorType.BAD_DATA, f"{name} must be a number")
        return int(text)

    def limit(self) -> int | None:
        """How many at most; None: all, which may also be written 0."""
        limit = self.integer("limit", 0)
        if limit < 0:
            raise bad_parameter("limit", "limit must be non-negative")
        return limit or None

    def flag(self, name: str) -> bool:
        """Whether *name* is said to be true."""
        text = self.get(name).lower()
        if text not in {"", "true", "1", "t", "false", "0", "f"}:
            raise bad_parameter(name, f'cannot parse "{text[:60]}" to true or false')
        return text in {"true", "1", "t"}

    def selectors(self) -> list[Matchers]:
        """The series selectors of `match[]`."""
        found = []
        for text in self.all("match[]"):
            try:
                found.append(parse_selector(text))
            except PromQLError as error:
                raise bad_parameter("match[]", error) from None
        return found


async def parameters(request: Request) -> Parameters:
    """A dependency: what *request* says. The body is read after the gate has let it pass."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST" and request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        body = await read_body(request)
        try:
            posted = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise ApiError(ErrorType.BAD_DATA, "the form in the body cannot be read") from None
        # What is in the body goes before what is in the address, as in Go.
        pairs = posted + pairs
    return Parameters(pairs, request.path_params)


def _moment(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    if text in _FAR_TIMES:
        return _FAR_TIMES[text]
    try:
        # A plus that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def _number(text: str) -> float | None:
    # Python's own reading would let through more: 1_000, blanks, digits of other scripts.
    if len(text) > 40 or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
