"""What the benchmarks share: repeated, interleaved timing, and one way to print a figure."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

ROUNDS = 15
STARTS = 7
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of processes whose start is measured: as installed, they are compiled."""


def interleaved(
    variants: Mapping[str, Callable[[int], None]],
    *,
    calls: int,
    rounds: int = ROUNDS,
    timer: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds a call for each variant: the median over *rounds*, in each of which every variant runs once, in turn.

    The machine's speed drifts; variants that run one after another in the same round drift together. With the thread's CPU time
    as *timer*, what others do on the machine meanwhile counts less.
    """
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for run in variants.values():
        run(max(1, calls // 10))
    for _ in range(rounds):
        for name, run in variants.items():
            began = timer()
            run(calls)
            taken[name].append((timer() - began) / calls)
    return {name: statistics.median(times) for name, times in taken.items()}


def import_seconds(modules: Mapping[str, str]) -> dict[str, float]:
    """The CPU time that importing each of *modules* takes in a process that has FastAPI and SQLAlchemy; the median of processes in turn."""
    taken: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(STARTS + 1):  # the first one may have to compile
        for name, wanted in modules.items():
            program = f"import fastapi, sqlalchemy, time; at = time.process_time(); import {wanted}; print(time.process_time() - at)"
            said = subprocess.run([sys.executable, "-c", program], check=True, env=ENVIRONMENT, stdout=subprocess.PIPE)
            taken[name].append(float(said.stdout))
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def print_added(title: str, seconds: Mapping[str, float], *, bare: str, ours: str, target_us: float) -> None:
    """What each variant adds to *bare*, in microseconds, and how many times ours the others add."""
    print(f"\n{title}: {bare} takes {seconds[bare] * 1e6:.2f} us; added to it:")
    added = {name: (value - seconds[bare]) * 1e6 for name, value in seconds.items() if name != bare}
    for name, value in added.items():
        ratio = "" if name == ours else f"   {value / added[ours]:.1f} x {ours}" if added[ours] > 0 else ""
        aim = f"   (aim: <= {target_us:g} us)" if name == ours else ""
        print(f"  {name:<34} {value:8.2f} us{aim}{ratio}")


def print_figure(title: str, value: float, unit: str, aim: str) -> None:
    """One figure beside what it is to reach."""
    print(f"  {title:<46} {value:9.3f} {unit:<6} (aim: {aim})")
