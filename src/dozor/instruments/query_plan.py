"""How a database would run a statement: its plan, of statements that Dozor has seen, without running them.

PostgreSQL is asked for the *generic* plan, the one that holds whatever the parameters are: the statement is prepared and
`EXPLAIN EXECUTE` asked for under `plan_cache_mode = force_generic_plan`. Unlike `EXPLAIN (GENERIC_PLAN)`, which needs
PostgreSQL 16, that works from 12 on and with drivers that know the extended protocol only. PREPARE takes one statement, and none
but SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES; the transaction is read-only, and rolled back.
"""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct, field
from sqlalchemy import Engine

from dozor.errors import PlanUnavailable
from dozor.instruments.own_mark import MARK
from dozor.instruments.query_statement import QueryStatement
from dozor.instruments.redaction import MOST_READ, redact
from dozor.instruments.redaction_output import ELLIPSIS

_OPERATIONS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "VALUES", "MERGE"})
_OLDEST_POSTGRES: Final = 120_000
_LARGE_SCAN_ROWS: Final = 10_000
_MOST_LINES: Final = 500

_LIMITS: Final = (
    f"SET TRANSACTION READ ONLY {MARK}",
    f"SET LOCAL statement_timeout = 2000 {MARK}",
    f"SET LOCAL lock_timeout = 500 {MARK}",
)
_COUNT_MARKS: Final = (
    f"SELECT {MARK} cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'dozor_plan'"  # noqa: S608 - a comment of ours
)
_PSYCOPG_MARK: Final = re.compile(r"%(?:%|\((?P<name>[^)]+)\)[sbt]|(?P<bare>[sbt]))")
_BINDINGS: Final = re.compile(r"statement uses (\d+)")

# What of a node says what it is; everything else that is text may hold literals, and is redacted.
_PLAIN: Final = frozenset({
    "Node Type", "Relation Name", "Schema", "Alias", "Index Name", "Join Type", "Scan Direction", "Strategy", "Operation",
    "Parent Relationship", "Partial Mode", "Subplan Name", "CTE Name", "Command", "Sort Method",
})  # fmt: skip
_CONDITIONS: Final = (
    *("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "One-Time Filter", "TID Cond"),
    *("Sort Key", "Group Key", "Presorted Key", "Cache Key", "Function Call", "Conflict Filter"),
)


class QueryPlan(Struct, frozen=True):
    """A plan.

    Attributes:
        lines: as `psql` or `sqlite3` show it, literals redacted.
        nodes: the same as PostgreSQL's JSON, redacted; empty for SQLite.
        notes: what in it may be worth a look, in sentences.
    """

    database: str
    lines: tuple[str, ...]
    nodes: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def check(statement: QueryStatement) -> str:
    """The text to explain. Raises `PlanUnavailable` for one that nobody should be asked to explain."""
    if statement.operation not in _OPERATIONS:
        raise PlanUnavailable(f"a {statement.operation} has no plan; SELECT, INSERT, UPDATE, DELETE and VALUES have")
    if statement.statement.endswith(ELLIPSIS) or len(statement.text) > MOST_READ:
        raise PlanUnavailable("the statement is too long, or not understood to its end, so it may be more than one")
    if ";" in statement.statement.rstrip("; "):
        raise PlanUnavailable("the text holds more than one statement")
    return statement.text.rstrip().rstrip(";")


def with_numbers(text: str, driver: str) -> str:
    """*text*, written for *driver*, with the marks that PostgreSQL itself has: `$1`, `$2` and so on."""
    if driver not in {"psycopg", "psycopg_async", "psycopg2"}:
        return text
    numbers: dict[str, int] = {}

    def replace(mark: re.Match[str]) -> str:
        if mark[0] == "%%":
            return "%"
        name = mark["name"] or str(mark.start())
        return f"${numbers.setdefault(name, len(numbers) + 1)}"

    return _PSYCOPG_MARK.sub(replace, text)


def postgres_plan(connection: Any, text: str, *, of_others: bool = False) -> QueryPlan:
    """The plan of *text*, asked over the DBAPI *connection*; *of_others*: any user of that server may have sent it.

    Raises what the driver raises.
    """
    with contextlib.closing(connection.cursor()) as cursor:
        for limit in _LIMITS:
            cursor.execute(limit)
        if of_others and _one(cursor, f"SELECT {MARK} current_setting('is_superuser')") == "on":
            # Whoever may write an IMMUTABLE function would have it run with a superuser's rights.
            raise PlanUnavailable(
                "Dozor is a superuser there, and planning may run functions that the statement's sender wrote: give Dozor a role "
                "of its own (GRANT pg_monitor, and pg_read_all_data for plans)"
            )
        version = int(_one(cursor, f"SELECT {MARK} current_setting('server_version_num')"))
        if version < _OLDEST_POSTGRES:
            raise PlanUnavailable(f"PostgreSQL {version // 10_000} has no generic plans to show; 12 and later have")
        cursor.execute(f"SET LOCAL plan_cache_mode = force_generic_plan {MARK}")
        cursor.execute(f"PREPARE dozor_plan AS {text}")
        marks = int(_one(cursor, _COUNT_MARKS))
        arguments = f"({', '.join(['NULL'] * marks)})" if marks else ""
        found = _one(cursor, f"EXPLAIN (FORMAT JSON) EXECUTE dozor_plan{arguments} {MARK}")
    document = json.loads(found) if isinstance(found, str | bytes) else found
    nodes = _redacted(document[0]["Plan"])
    lines = tuple(islice(_lines(nodes, 0), _MOST_LINES))
    return QueryPlan("postgresql", lines, nodes, tuple(dict.fromkeys(_notes(nodes))))


def _one(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


def sqlite_plan(engine: Engine, text: str) -> QueryPlan:
    """The plan of *text* in the file behind *engine*, which is opened for reading only. Raises what the driver raises."""
    path = engine.url.database
    if not path or path == ":memory:" or path.startswith("file:"):
        raise PlanUnavailable("an SQLite database in memory cannot be opened a second time")
    address = f"file:{quote(str(Path(path).resolve()))}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=0.5)) as connection:
        rows = _explained(connection, f"EXPLAIN QUERY PLAN {text}")
    depth = {0: -1}
    lines = []
    for number, parent, _, detail in rows[:_MOST_LINES]:
        depth[number] = depth.get(parent, -1) + 1
        lines.append("  " * depth[number] + _words(str(detail)))
    notes = [f"{line.strip()}: reads all of it" for line in lines if line.strip().startswith("SCAN ")]
    return QueryPlan("sqlite", tuple(lines), notes=tuple(dict.fromkeys(notes)))


class _Nulls(dict[str, None]):
    """NULL for whatever name."""

    def __missing__(self, _name: str) -> None:
        return None


def _explained(connection: sqlite3.Connection, statement: str) -> list[tuple[int, int, int, str]]:
    try:
        return connection.execute(statement).fetchall()
    except sqlite3.ProgrammingError as error:  # it has marks; those without a name must be given by number
        count = _BINDINGS.search(str(error))
    try:
        return connection.execute(statement, _Nulls()).fetchall()
    except sqlite3.ProgrammingError:
        return connection.execute(statement, [None] * (int(count[1]) if count else 0)).fetchall()


def _words(detail: str) -> str:
    # "SEARCH items USING INDEX a (name=?)": names and marks, no literals; redacted all the same.
    return redact(detail, "sqlite")


def _redacted(node: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key == "Plans":
            found[key] = [_redacted(one) for one in value]
        elif isinstance(value, int | float | bool) or key in _PLAIN:
            found[key] = value
        elif isinstance(value, list):
            found[key] = [redact(str(one), "postgresql") for one in value]
        elif isinstance(value, str):
            found[key] = redact(value, "postgresql")
    return found


def _lines(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "" if depth == 0 else "  " * (3 * depth - 2) + "->  "
    cost = f"(cost={node['Startup Cost']:.2f}..{node['Total Cost']:.2f} rows={node['Plan Rows']} width={node['Plan Width']})"
    yield f"{indent}{_title(node)}  {cost}"
    inner = "  " * (3 * depth + 1)
    for key in _CONDITIONS:
        if key in node:
            value = node[key]
            yield f"{inner}{key}: {', '.join(value) if isinstance(value, list) else value}"
    for child in node.get("Plans", ()):
        yield from _lines(child, depth + 1)


def _title(node: Mapping[str, Any]) -> str:
    kind = node["Node Type"]
    if kind == "ModifyTable":
        kind = node.get("Operation", kind)
    if node.get("Join Type") not in {None, "Inner"}:
        kind = f"{kind} {node['Join Type']}"
    title = f"Parallel {kind}" if node.get("Parallel Aware") else str(kind)
    if index := node.get("Index Name"):
        title += f" using {index}"
    if relation := node.get("Relation Name") or node.get("CTE Name"):
        title += f" on {relation}"
        alias = node.get("Alias")
        title += f" {alias}" if alias and alias != relation else ""
    return title


def _notes(node: Mapping[str, Any]) -> Iterator[str]:
    rows = node.get("Plan Rows", 0)
    if node["Node Type"] == "Seq Scan" and "Filter" in node:
        yield (
            f"{node.get('Relation Name')} is read from its beginning to its end, about {rows} rows are expected to be left by "
            f"{node['Filter']}; an index on what that asks for may help"
        )
    elif node["Node Type"] == "Seq Scan" and rows >= _LARGE_SCAN_ROWS:
        yield f"all of {node.get('Relation Name')}, about {rows} rows, is read"
    for child in node.get("Plans", ()):
        yield from _notes(child)
