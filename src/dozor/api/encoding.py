"""What JSON knows, as bytes of JSON, whatever odd text is in it."""

from collections.abc import Mapping
from typing import Any

import msgspec


def encoded(value: Any) -> bytes:
    """*value*, which is what JSON knows, as JSON."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(encodable(value))


def encodable(value: Any) -> Any:
    """*value* with what UTF-8 cannot carry (half a surrogate pair out of somebody's SQL) replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {encodable(key): encodable(item) for key, item in value.items()}
    return [encodable(item) for item in value] if isinstance(value, (list, tuple)) else value
