"""`dozor annotate`: what it sends and says."""

import json
from datetime import UTC, datetime, timedelta

from tests.cli.conftest import Dozor, Run, problem

MADE = {"id": "m1", "at": "2026-11-22T19:00:00Z", "text": "Deployed 1.2.3", "tags": ["deploy"], "by": "anna"}


def test_a_moment_is_marked(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST annotations"] = (201, {**MADE, "durable": True})
    ended = dozor_command("annotate", "Deployed 1.2.3", "--tag", "deploy", "--tag", "api")
    assert ended.out.startswith("Marked 2026-11-2")
    assert ended.out.endswith(": Deployed 1.2.3\n")
    assert dozor.asked[0].body == {"text": "Deployed 1.2.3", "tags": ["deploy", "api"], "by": "anna"}


def test_it_may_be_past_and_is_said_for_programs(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST annotations"] = (201, {**MADE, "durable": False})
    ended = dozor_command("annotate", "x", "--at", "10m", "--by", "ci", "--json")
    assert json.loads(ended.out)["id"] == "m1"
    body = dozor.asked[0].body
    assert body is not None
    assert abs(datetime.now(UTC) - timedelta(minutes=10) - datetime.fromisoformat(body["at"])) < timedelta(minutes=1)


def test_what_dozor_refuses_is_said(dozor: Dozor, dozor_command: Run) -> None:
    dozor.answers["POST annotations"] = problem(422, "text: write something.")
    ended = dozor_command("annotate", " ")
    assert (ended.status, "write something" in ended.err) == (2, True)
    assert dozor_command("annotate", "x", "--at", "soon").status == 2
