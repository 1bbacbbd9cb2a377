"""Plans on demand, for the statements of one engine."""

from typing import Any, Final

from sqlalchemy import Engine

from dozor.errors import PlanUnavailable
from dozor.instruments.database_enquiry import LIMIT_SECONDS, DatabaseEnquiry
from dozor.instruments.query_plan import QueryPlan, check, postgres_plan, sqlite_plan, with_numbers
from dozor.instruments.query_statement import QueryStatement
from dozor.instruments.side_thread import SideThread, StillBusyError

# What a driver says may hold literals of the statement; what its SQLSTATE means does not.
_REASONS: Final = {
    "42P01": "it names a table that Dozor's connection does not find; one that a search_path set by the application would find?",
    "42601": "the server's own text of it has a mark where none may stand, as in interval $1",
    "42P18": "the statement does not say of which type a parameter is",
    "42501": "the database user may not do what it does",
    "57014": "making it took longer than 2 s",
    "55P03": "a table that it names is locked",
    "25P02": "the transaction was ended before",
}


class QueryPlanner:
    """Asks for one plan at a time, over a connection of Dozor's own. `plan` belongs to one event loop.

    Args:
        name: of the pool.
        engine: how to connect.
        of_others: the texts are the server's, which other users may have sent, with its own marks (`$1`).
    """

    def __init__(self, name: str, engine: Engine, *, of_others: bool = False) -> None:
        self._engine, self._of_others = engine, of_others
        self._enquiry = DatabaseEnquiry(name, engine)
        self._side = SideThread(f"dozor-plan-{name}")

    async def plan(self, statement: QueryStatement) -> QueryPlan:
        """How the database would run *statement*, whatever its parameters. Raises `PlanUnavailable`, saying why."""
        text = check(statement)
        try:
            return await self._plan(text)
        except PlanUnavailable:
            raise
        except StillBusyError:
            raise PlanUnavailable("another is being made; ask again in a moment") from None
        except TimeoutError:
            raise PlanUnavailable(f"the database did not answer within {LIMIT_SECONDS:g} s") from None
        except Exception as error:  # noqa: BLE001 - drivers raise what they like
            raise PlanUnavailable(_reason(error)) from None

    async def _plan(self, text: str) -> QueryPlan:
        dialect = self._engine.dialect
        if dialect.name == "postgresql":
            if self._of_others:
                return await self._enquiry.run(lambda connection: postgres_plan(connection, text, of_others=True))
            marked = with_numbers(text, dialect.driver)
            return await self._enquiry.run(lambda connection: postgres_plan(connection, marked))
        if dialect.name == "sqlite":
            return await self._side.run(lambda: sqlite_plan(self._engine, text), LIMIT_SECONDS)
        raise PlanUnavailable(f"plans are shown of PostgreSQL and SQLite, and this is {dialect.name}")


def _reason(error: BaseException) -> str:
    state: Any = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    known = _REASONS.get(str(state))
    if known is not None:
        return known
    said = f"{type(error).__name__}, {state}" if state else type(error).__name__
    return f"the database refused to make one ({said})"
