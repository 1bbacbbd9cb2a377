"""The language as data: our own scripts, and Prometheus' where they are at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.promql.promqltest import run_file

SCRIPTS = Path(__file__).parent / "scripts"
YARDSTICKS = Path(__file__).parents[3] / "shared" / "yardsticks" / "promqltest" / "testdata"

# How many evaluations of each of Prometheus' scripts must pass. What is not counted needs native histograms, experimental
# start timestamps, range modifiers or info(), or syntax that the parser does not know; promqltest.py says which.
FLOORS = {
    "aggregators.test": 125,
    "at_modifier.test": 78,
    "collision.test": 2,
    "duration_expression.test": 8,
    "extended_vectors.test": 30,
    "fill-modifier.test": 46,
    "functions.test": 318,
    "histograms.test": 91,
    "info.test": 0,
    "limit.test": 0,
    "literals.test": 25,
    "name_label_dropping.test": 30,
    "native_histograms.test": 3,
    "operators.test": 142,
    "range_queries.test": 16,
    "selectors.test": 31,
    "staleness.test": 17,
    "start_timestamps.test": 0,
    "subquery.test": 32,
    "trig_functions.test": 19,
    "type_and_unit.test": 58,
}


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.test")), ids=lambda path: path.name)
def test_own_script(path: Path) -> None:
    """Every evaluation of our own scripts passes; none is excluded."""
    outcome = run_file(path)
    assert outcome.failures == []
    assert not outcome.excluded
    assert outcome.passed > 0


@pytest.mark.skipif(not YARDSTICKS.is_dir(), reason=f"Prometheus' promqltest scripts are not at {YARDSTICKS}")
@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_upstream_script(name: str, floor: int, record_property: Callable[[str, object], None]) -> None:
    """At least as many evaluations as before pass, and none that should pass fails."""
    outcome = run_file(YARDSTICKS / name)
    record_property("passed", outcome.passed)
    record_property("total", outcome.total)
    record_property("excluded", dict(outcome.excluded))
    assert outcome.failures == []
    assert outcome.passed >= floor
