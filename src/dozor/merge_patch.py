"""JSON Merge Patch (RFC 7396): what makes one document of another.

A patch cannot say that a member becomes null, for there null means that it goes. So documents that are patched have no
null members; a null inside an array is no member, and stays.
"""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    """The patch that makes *new* of *old*; empty where they are equal. Neither is changed, and neither has null members."""
    patch: Document = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if before is None:
            patch[name] = value
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := difference(before, value):
                patch[name] = inner
        elif before != value:
            patch[name] = value
    return patch


def patched(document: Any, patch: Any) -> Any:
    """*document* after *patch*. Parts that the patch leaves alone are shared, nothing is changed in place."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), value)
    return result
