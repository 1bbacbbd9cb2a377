"""What is promised of the built page and of its sources: its size, where Node comes from, and that text is only ever text."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hatch_build
import pytest

WEB = hatch_build.WEB
SOURCES = sorted(path for path in (WEB / "src").rglob("*.ts*"))
MOST_BYTES = 60_000


def test_its_javascript_is_small() -> None:
    if not hatch_build.PAGE.is_dir():
        pytest.skip("the page is not built here: no npm with Node could build it")
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in hatch_build.PAGE.glob("*.js")}
    assert 0 < sum(sizes.values()) <= MOST_BYTES, sizes


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(WEB).as_posix())
def test_no_source_makes_markup_of_text(source: Path) -> None:
    sinks = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|dangerouslySet|eval\(|new Function|srcdoc|javascript:"
    )
    assert not re.search(sinks, source.read_text(encoding="utf-8"))


def test_its_lock_file_names_no_host_of_a_registry_and_fits_what_is_asked_for() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    package = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    assert not any("resolved" in one for one in lock["packages"].values())
    assert all("integrity" in one for name, one in lock["packages"].items() if name)
    for kind in ("dependencies", "devDependencies"):
        assert lock["packages"][""][kind] == package[kind]
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package[kind].values())


def test_the_lock_of_node_is_of_the_version_that_a_build_asks_for() -> None:
    lock = (hatch_build.PROJECT / "requirements-node.lock").read_text(encoding="utf-8")
    assert f"\n{hatch_build.NODE_WHEEL} " in lock


def test_russian_has_every_word_that_the_page_says() -> None:
    russian = json.loads((WEB / "src" / "ru.json").read_text(encoding="utf-8"))
    spoken = (
        r'\bt\(\s*"((?:[^"\\]|\\.)+)"',
        r'\btn\([^,]+,\s*"((?:[^"\\]|\\.)+)"',
        r'\b(?:title|empty|why|does): "([^"]+)"',
        r'\b(?:num|text|when)\("([^"]+)"',
        r'<Listing\s+title="([^"]+)"',
        r'^    (?:lead|none)="([^"]+)"$',
    )
    text = "".join(source.read_text(encoding="utf-8") for source in SOURCES)
    said = {word for pattern in spoken for word in re.findall(pattern, text, re.MULTILINE)}
    assert said - russian.keys() == set()
    assert [word for word in russian if "|" in word and russian[word].count("|") != 2] == []


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Sources of a page that was not built yet, on a machine without Node."""
    (tmp_path / "web" / "src").mkdir(parents=True)
    (tmp_path / "web" / "package.json").write_text("{}")
    monkeypatch.setattr(hatch_build, "WEB", tmp_path / "web")
    monkeypatch.setattr(hatch_build, "PAGE", tmp_path / "app")
    monkeypatch.setattr(hatch_build, "_node_on_path", lambda: None)
    monkeypatch.setattr(hatch_build, "_node_of_wheel", lambda: None)
    monkeypatch.delenv("DOZOR_SKIP_UI", raising=False)
    return tmp_path


def _hook() -> Any:
    hook = object.__new__(hatch_build.PageBuildHook)
    said: list[str] = []
    object.__setattr__(hook, "_BuildHookInterface__app", SimpleNamespace(display_warning=said.append))
    return hook, said


def test_without_node_a_build_asks_for_the_wheel_and_a_package_without_the_page_says_so(empty: Path) -> None:
    hook, said = _hook()
    assert hook.dependencies() == [hatch_build.NODE_WHEEL]
    hook.initialize("standard", {})
    assert "without Dozor's page: there is no npm with Node" in said[0]


def test_nothing_is_built_where_that_is_not_wanted(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOZOR_SKIP_UI", "1")
    hook, said = _hook()
    assert (hook.dependencies(), hatch_build.is_wanted()) == ([], False)
    hook.initialize("editable", {})
    assert said == []


def test_a_page_is_built_anew_when_a_source_changes_and_not_for_what_is_no_source(empty: Path) -> None:
    source = empty / "web" / "src" / "main.tsx"
    source.write_text("1")
    (empty / "app").mkdir()
    (empty / "app" / "page.json").write_text(json.dumps({"built_from": hatch_build.fingerprint()}))
    assert not hatch_build.is_wanted()
    (empty / "web" / "node_modules").mkdir()
    (empty / "web" / "node_modules" / "x.js").write_text("2")
    (empty / "web" / "README.md").write_text("3")
    assert not hatch_build.is_wanted()
    source.write_text("4")
    assert hatch_build.is_wanted()


def test_a_wrong_argument_is_one_clear_answer() -> None:
    run = subprocess.run(
        [sys.executable, hatch_build.__file__, "--nonsense"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "python hatch_build.py" in run.stderr
