"""What Dozor adds to a checkout, a statement, a request, an import and a process, beside what is used instead of it.

python -m benchmarks.overhead [--markdown] [--only checkout,statement,within,request,import,uvicorn]

Run by the Python that has the peers (`make bench` puts them into .venv/peers), it compares with all of them; else with hand-written
listeners alone. All variants run in turn in the same process with the same versions.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

from benchmarks.common import import_seconds, interleaved
from benchmarks.served import Served, compare
from benchmarks.variants import BARE, OURS, Variant, variants
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import QueuePool
from starlette.types import ASGIApp, Message

from dozor.instruments.work import Work, current_work

PARTS = ("checkout", "statement", "within", "request", "import", "uvicorn")
ROUNDS = 51

Row = tuple[str, str, dict[str, float], str]
"""What was measured, its unit, the figure of each variant, and what Dozor's is to be."""


def new_engine() -> Engine:
    return create_engine(
        "sqlite:///:memory:", poolclass=QueuePool, pool_size=5, max_overflow=10, pool_reset_on_return=None,
        connect_args={"check_same_thread": False},
    )  # fmt: skip


def checkouts(engine: Engine) -> Callable[[int], None]:
    def run(calls: int) -> None:
        connect = engine.raw_connection
        for _ in range(calls):
            connect().close()

    return run


def statements(engine: Engine) -> Callable[[int], None]:
    connection = engine.connect()
    statement = text("SELECT 1")

    def run(calls: int) -> None:
        for _ in range(calls):
            connection.execute(statement).close()

    return run


def within_requests(run: Callable[[int], None]) -> Callable[[int], None]:
    """The same in requests of five statements, whose beginning and end every variant has alike."""

    def run_within(calls: int) -> None:
        for _ in range(calls // 5):
            work = Work()
            token = current_work.set(work)
            run(5)
            current_work.reset(token)
            work.finish()

    return run_within


def application() -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/items/{item}")
    async def item(item: int) -> int:
        return item

    return app


def requests(app: ASGIApp) -> Callable[[int], None]:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    async def serve(calls: int) -> None:
        for _ in range(calls):
            scope = {
                "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/items/7",
                "raw_path": b"/items/7", "root_path": "", "scheme": "http", "query_string": b"", "headers": [],
                "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
            }  # fmt: skip
            await app(scope, receive, send)

    loop = asyncio.new_event_loop()
    return lambda calls: loop.run_until_complete(serve(calls))


def _added(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: (value - seconds[BARE]) * 1e6 for name, value in seconds.items() if name != BARE}


def _engines(known: Mapping[str, Variant]) -> dict[str, Engine]:
    made = {name: new_engine() for name, variant in known.items() if variant.engine is not None}
    for name, engine in made.items():
        attach = known[name].engine
        if attach is not None:
            attach(engine)
    return made


def in_process(known: Mapping[str, Variant], wanted: Collection[str]) -> list[Row]:
    """A checkout, a statement and a request, in microseconds added to the bare ones."""
    engines = _engines(known)
    apps = {name: variant.app(application()) for name, variant in known.items() if variant.app is not None}
    sent = {name: statements(engine) for name, engine in engines.items()}
    within = {name: within_requests(run) for name, run in sent.items()}
    runs: dict[str, tuple[str, dict[str, Callable[[int], None]], int, str]] = {
        "checkout": (
            "checkout and checkin",
            {name: checkouts(engine) for name, engine in engines.items()},
            2_000,
            "<= 1.0",
        ),
        "statement": ("statement", sent, 1_000, "<= 1.0"),
        "within": ("statement, within a request", within, 1_000, "<= 1.0"),
        "request": ("HTTP request, in process", {name: requests(app) for name, app in apps.items()}, 400, "<= 3.0"),
    }
    return [
        (title, "us", _added(interleaved(run, calls=calls, rounds=ROUNDS, timer=time.thread_time)), aim)
        for part, (title, run, calls, aim) in runs.items()
        if part in wanted
    ]


def imports(known: Mapping[str, Variant]) -> Row:
    """What importing it takes beyond FastAPI and SQLAlchemy, in milliseconds of the CPU."""
    found = import_seconds({name: variant.imports for name, variant in known.items() if variant.imports})
    return "import", "ms", {name: seconds * 1e3 for name, seconds in found.items()}, "<= 100"


def through_uvicorn(found: Mapping[str, Served]) -> list[Row]:
    """What a request costs the server, what visitors feel (p99 as a ratio to bare), and memory beyond bare."""
    bare = found[BARE]
    others = {name: one for name, one in found.items() if name != BARE}

    def ratios(figure: str) -> dict[str, float]:
        return {name: one.ratio(bare, figure) for name, one in others.items()}

    return [
        (
            "request with a statement, CPU of the server",
            "us",
            {name: one.added(bare, "cpu_us") for name, one in others.items()},
            "",
        ),
        ("p99 at a steady rate, with to without", "ratio", ratios("steady_p99_ms"), "<= 1.05"),
        ("p99 under full load, with to without", "ratio", ratios("full_p99_ms"), "<= 1.05"),
        ("time of a request under full load, with to without", "ratio", ratios("seconds"), ""),
        ("memory (PSS)", "MiB", {name: one.pss_mib - bare.pss_mib for name, one in others.items()}, ""),
    ]


def print_plain(rows: list[Row]) -> None:
    for title, unit, figures, aim in rows:
        print(f"\n{title}, {unit}" + ("" if unit == "ratio" else ", added to bare:"))
        for name, value in figures.items():
            beside = "" if name == OURS or figures[OURS] <= 0 else f"   {value / figures[OURS]:.1f} x {OURS}"
            print(f"  {name:<26} {value:9.2f}{beside}{f'   (aim: {aim})' if aim and name == OURS else ''}")


def print_markdown(rows: list[Row], names: list[str]) -> None:
    print(f"| added to bare | aim | {' | '.join(names)} |")
    print(f"|---|---|{'---|' * len(names)}")
    for title, unit, figures, aim in rows:
        cells = [f"{figures[name]:.2f}" if name in figures else "" for name in names]
        print(f"| {title}, {unit} | {aim} | {' | '.join(cells)} |")


def main() -> None:
    """Print all figures, or those that are asked for."""
    parser = argparse.ArgumentParser(description="What Dozor adds, beside others.")
    parser.add_argument("--markdown", action="store_true", help="a table")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}; separated by commas")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"--only knows {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    known = variants()
    names = [name for name in known if name != BARE]
    load = os.getloadavg()[0]
    versions = ", ".join(
        f"{package} {version(package)}" for package in ("fastapi", "starlette", "sqlalchemy", "uvicorn")
    )
    print(f"Python {sys.version.split()[0]}, {versions}; {os.cpu_count()} cores, load {load:.1f} at the start")
    rows = in_process(known, wanted)
    if "import" in wanted:
        rows.append(imports(known))
    if "uvicorn" in wanted:
        rows += through_uvicorn(compare(list(known)))
    if arguments.markdown:
        print_markdown(rows, names)
    else:
        print_plain(rows)


if __name__ == "__main__":
    main()
