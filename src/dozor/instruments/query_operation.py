"""What kind of thing a statement does, by its first word."""

from typing import Any, Final

OTHER: Final = "other"
OPERATIONS: Final = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CALL", "COPY", "CREATE", "ALTER", "DROP", "TRUNCATE"),
    *(
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "SET",
        "SHOW",
        "EXPLAIN",
        "PRAGMA",
        "LOCK",
        "VALUES",
        "WITH",
    ),
)

_OPERATIONS: Final = frozenset(OPERATIONS)
_SPACE: Final = " \t\r\n("


def operation_of(statement: str, context: Any) -> str:
    """The statement's first word, if it is one of `OPERATIONS`, else `other`. *context*: SQLAlchemy's, or None.

    A statement that begins with WITH is named by what it does where SQLAlchemy has compiled it, else `WITH`.
    """
    word = _first_word(statement)
    if word == "WITH" and context is not None:
        for flag, operation in (("isinsert", "INSERT"), ("isupdate", "UPDATE"), ("isdelete", "DELETE")):
            if getattr(context, flag, False):
                return operation
        if getattr(context, "compiled", None) is not None and not getattr(context, "is_text", True):
            return "SELECT"
    return word if word in _OPERATIONS else OTHER


def _first_word(statement: str) -> str:
    text = statement[:1024].lstrip(_SPACE)
    while text.startswith(("--", "/*")):
        text = text.partition("\n" if text.startswith("--") else "*/")[2].lstrip(_SPACE)
    word = text[:16]
    for end, character in enumerate(word):
        if not character.isalpha():
            return word[:end].upper()
    return word.upper()
