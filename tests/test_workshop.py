"""What is promised of the project itself: its lock files, its wheel, its front door."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from tests.order import dealt

import dozor
from dozor.settings.record import KEYS

PROJECT = Path(__file__).parent.parent
LOCKS = sorted(PROJECT.glob("requirements*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_has_versions_and_hashes_and_no_host(lock: Path) -> None:
    content = lock.read_text(encoding="utf-8")
    assert "://" not in content
    requirements = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", content, flags=re.MULTILINE).strip())
    for requirement in requirements:
        assert re.match(r"[a-z0-9.\[\]_-]+==[^ ]+ ", requirement), requirement[:80]
        assert "--hash=sha256:" in requirement, requirement[:80]


def test_everything_that_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [item for group in project["dependency-groups"].values() for item in group if isinstance(item, str)]
    extras = [item for extra in project["project"]["optional-dependencies"].values() for item in extra]
    wanted = {_name(item) for item in [*project["project"]["dependencies"], *extras, *groups]}
    content = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    locked = {_name(line) for line in content.splitlines() if re.match(r"[a-z0-9]", line)}
    assert wanted <= locked


def test_the_wheel_holds_the_whole_package_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = PROJECT / "src"
    files = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    page = Path("src/dozor/dashboard/static/app")
    if not (PROJECT / page / "page.json").is_file():
        pytest.skip("the page is not built here: no npm with Node could build it")
    assert {f"dozor/dashboard/static/app/{path.name}" for path in (PROJECT / page).iterdir()} <= names
    assert {name for name in names if not name.startswith(f"dozor-{dozor.__version__}.dist-info/")} == files
    assert "dozor/py.typed" in names
    assert any(name.endswith("entry_points.txt") for name in names)
    assert any(name.endswith("LICENSE") for name in names)


def test_every_setting_is_explained() -> None:
    guide = (PROJECT / "docs" / "guides" / "configuration.md").read_text(encoding="utf-8")
    assert [key.variable for key in KEYS.values() if key.variable not in guide] == []


def test_every_name_of_the_front_door_is_there() -> None:
    assert dozor.__all__ == sorted(dozor.__all__, key=lambda name: (name.startswith("_"), name))
    for name in dozor.__all__:
        assert getattr(dozor, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = dozor.Nonsense


def test_import_dozor_loads_nothing_heavy() -> None:
    heavy = "fastapi sqlalchemy pydantic typer rich httpx2 alembic hishel uvicorn redis promql_parser psutil"
    code = f"import sys, dozor; print(*(name for name in {heavy.split()} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == []


def test_a_record_that_does_not_change_is_a_struct() -> None:
    """A frozen dataclass with slots takes four times as much memory for its class; see docs/adr/0024."""
    needed = (
        "field(",
        "__post_init__",
        "fields(",
    )  # metadata, what is hidden, what is made of the rest, what looks itself over
    found = []
    for path in sorted((PROJECT / "src").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for one in ast.walk(ast.parse(source)):
            if isinstance(one, ast.ClassDef) and "dataclass(frozen=True" in " ".join(
                map(ast.unparse, one.decorator_list)
            ):
                body = ast.get_source_segment(source, one) or ""
                if not any(word in body for word in needed):
                    found.append(f"{path.stem}.{one.name}")
    # Groups and directives are replaced together with rules; what is told of requests is not loaded by an agent.
    left = {"group.RuleGroup", "directives.Directives"}
    assert [one for one in found if one not in left and not one.startswith("http_answers.")] == []


def test_what_takes_long_is_begun_first_and_by_all() -> None:
    weights = [0, 0, 3, 0, 0, 9, 0, 5, 0, 0]
    assert dealt("abcdefghij", weights, 2) == [*"fcabd", *"hegij"]
    assert dealt("abc", [1, 2, 3], 2) == ["c", "a", "b"]
    assert sorted(dealt("abcdefghij", weights, 3)) == list("abcdefghij")


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")
