"""What is refused, and with which words."""

import pytest
from fastapi.testclient import TestClient

RANGE = "query_range?query=up&start=1&end=5"


@pytest.mark.parametrize(
    ("request_line", "message"),
    [
        ("query", 'invalid parameter "query": no expression'),
        ("query?query=(", 'invalid parameter "query": unclosed'),
        ("query?query=up&time=x", 'invalid parameter "time": Invalid time value for \'time\': cannot parse "x"'),
        ("query?query=up&time=1_000", 'cannot parse "1_000" to a valid timestamp'),
        ("query?query=up&time=1e400", 'cannot parse "1e400" to a valid timestamp'),
        ("query?query=up&time=2027-01-15T08:00:00", "to a valid timestamp"),
        ("query?query=up&timeout=soon", 'invalid parameter "timeout": cannot parse "soon" to a valid duration'),
        ("query?query=up&lookback_delta=x", 'invalid parameter "lookback_delta"'),
        ("query?query=up&limit=-1", 'invalid parameter "limit"'),
        ("query?query=up&limit=x", "limit must be a number"),
        ("query_range?query=up&end=5&step=1", 'invalid parameter "start": cannot parse "" to a valid timestamp'),
        ("query_range?query=up&start=5&end=1&step=1", "end timestamp must not be before start time"),
        (RANGE, 'invalid parameter "step": cannot parse ""'),
        (RANGE + "&step=0", "zero or negative query resolution"),
        (RANGE + "&step=-1", "zero or negative query resolution"),
        (RANGE + "&step=1e300", 'invalid parameter "step"'),
        (RANGE + "&step=1e-9", "exceeded maximum resolution of 11,000 points"),
        ("query_range?query=up[5m]&start=1&end=5&step=1", 'invalid expression type "range vector"'),
        ("series", "no match[] parameter provided"),
        ("series?match[]=up{", 'invalid parameter "match[]"'),
        ("series?match[]=up offset 5m", "is no series selector"),
        ('series?match[]={a=~".*"}', "must contain at least one non-empty matcher"),
        ("labels?start=x", 'invalid parameter "start"'),
        ("metadata?limit=x", "limit must be a number"),
        ("rules?type=bad", 'invalid parameter "type": not supported value "bad"'),
        ("rules?exclude_alerts=maybe", 'invalid parameter "exclude_alerts"'),
        ("format_query?query=sum(", 'invalid parameter "query"'),
    ],
)
def test_a_bad_parameter_is_named(api: TestClient, request_line: str, message: str) -> None:
    response = api.get(request_line)
    answer = response.json()
    assert (response.status_code, answer["status"], answer["errorType"]) == (400, "error", "bad_data")
    assert message in answer["error"]


@pytest.mark.parametrize(
    "time",
    ["1800000000", "1.8e9", "2027-01-15T08:00:00Z", "2027-01-15T11:00:00%2B03:00", "2027-01-15T11:00:00+03:00"],
)
def test_a_moment_may_be_written_in_several_ways(api: TestClient, time: str) -> None:
    assert api.get(f"query?query=time()&time={time}").json()["data"]["result"] == [1800000000, "1800000000"]


@pytest.mark.parametrize("step", ["60", "60.0", "1m", "60s"])
def test_a_step_may_be_written_in_several_ways(api: TestClient, step: str) -> None:
    answer = api.get(f"query_range?query=1&start=0&end=120&step={step}").json()
    assert answer["data"]["result"] == [{"metric": {}, "values": [[0, "1"], [60, "1"], [120, "1"]]}]


def test_a_form_goes_before_the_address(api: TestClient) -> None:
    assert api.post("query?query=1", data={"query": "2"}).json()["data"]["result"][1] == "2"


@pytest.mark.parametrize("form", [b"query=%ff&query=\xff", b"a=1&" * 1001])
def test_a_form_that_cannot_be_read_is_refused(api: TestClient, form: bytes) -> None:
    response = api.post("query", content=form, headers={"content-type": "application/x-www-form-urlencoded"})
    assert (response.status_code, response.json()["error"]) == (400, "the form in the body cannot be read")


def test_other_bodies_are_not_looked_at(api: TestClient) -> None:
    assert api.post("query?query=1", json={"query": "2"}).json()["data"]["result"][1] == "1"
