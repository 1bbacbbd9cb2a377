"""What clients learn of the server."""

from fastapi.testclient import TestClient

from dozor import __version__


def test_clients_learn_which_api_is_spoken_and_by_whom(api: TestClient) -> None:
    found = api.get("status/buildinfo").json()["data"]
    assert set(found) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    assert found["version"] == "2.55.0"
    assert found["revision"] == f"dozor-{__version__}"
