"""The real demo, its real faults: the address that each fault names tells request, file and line of the mistake."""

import inspect
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.demo.program import Demo, running_demo
from tests.patience import PATIENCE_SECONDS

from dozor.demo import shop
from dozor.demo.faults import FAULTS
from dozor.demo.servers import EmbeddedServers

API = "/api/v1/monitoring/"
Told = list[tuple[str | None, str]]
"""Request and line of code."""


def taken(holders: Any) -> Told:
    return [(holder["endpoint"], holder["taken_at"][0]) for holder in holders if holder["taken_at"]]


def waiting_in_transaction(holders: Any) -> Told:
    return [
        (holder["endpoint"], holder["now_at"][0])
        for holder in holders
        if holder["state"] == "idle in transaction" and holder["now_at"]
    ]


def holders(answer: Any) -> Any:
    return [holder for pool in answer["pools"] for holder in pool["holders"]]


def called(entries: Any) -> Told:
    return [(entry["endpoint"], entry["caller"]) for entry in entries]


def sorting(answer: Any) -> Told:
    return [
        (caller["endpoint"], caller["caller"])
        for command in answer["commands"]
        if (command["command"], command["client"], command["shape"]) == ("SORT", "shop", "SORT ? LIMIT ? ? DESC")
        for caller in command["callers"]
    ]


# Fault, another address than it names or none, what is told there, and what it must tell.
CASES: list[tuple[str, str, Callable[[Any], Told], str | None, Callable[..., Any]]] = [
    ("n-plus-one", "", lambda answer: called(answer["queries"]), "GET /recent-orders", shop._customer_name),
    ("slow-query", "", lambda answer: called(answer["entries"]), "GET /margins", shop.margins),
    ("slow-fetch", "", lambda answer: called(answer["entries"]), "GET /ledger", shop.ledger),
    ("hot-command", "", sorting, "GET /top-rated", shop.top_rated),
    ("leaked-connection", "", lambda answer: taken(holders(answer)), "POST /imports", shop.begin_import),
    (
        "leaked-connection",
        "pool/leaks",
        lambda answer: taken([entry["holder"] for entry in answer["entries"]]),
        "POST /imports",
        shop.begin_import,
    ),
    (
        "idle-in-transaction",
        "",
        lambda answer: waiting_in_transaction(holders(answer)),
        "POST /transfers",
        shop.transfer,
    ),
    # Last, since nobody is served while it goes on.
    (
        "blocked-loop",
        "",
        lambda answer: [(None, stall["place"]) for stall in answer["stalls"] if stall["place"]],
        None,
        shop.invoice,
    ),
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, embedded_servers: EmbeddedServers) -> Iterator[tuple[Demo, str]]:
    home = tmp_path_factory.mktemp("demo")
    with running_demo(home, embedded_servers, "n-plus-one", DOZOR_LEAK_AFTER="2s") as demo:
        yield demo, demo.shop_url()


@pytest.mark.long(25)
@pytest.mark.parametrize(
    ("fault", "path", "told", "endpoint", "function"), CASES, ids=[f"{name} {path}".strip() for name, path, *_ in CASES]
)
def test_the_answer_names_request_file_and_line(
    demo: tuple[Demo, str],
    fault: str,
    path: str,
    told: Callable[[Any], Told],
    endpoint: str | None,
    function: Callable[..., Any],
) -> None:
    running, shop_url = demo
    assert httpx2.post(f"{shop_url}/faults/{fault}", timeout=PATIENCE_SECONDS, trust_env=False).status_code == 202
    address = API + path if path else FAULTS[fault].look
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: Told = []
    while not any(_is(function, who, line, endpoint) for who, line in found):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
        found = told(running.wait_for(address).json())


def _is(function: Callable[..., Any], who: str | None, line: str, endpoint: str | None) -> bool:
    """Whether *line* is one of *function*, and the request is *endpoint*."""
    lines, first = inspect.getsourcelines(function)
    found = re.fullmatch(r"demo/shop\.py:(\d+) in (\w+)", line)
    return (
        found is not None
        and who == endpoint
        and found[2] == function.__name__
        and first <= int(found[1]) < first + len(lines)
    )
