"""Installs use exactly the versions of the locks, although the registries of these tests have newer ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.install.registry import cargo_registry, newer, normal, npm_registry, python_index, serve
from tests.support.seed import missing

ROOT = Path(__file__).parents[2]
OWN = {"aster-sidecar", "pip", "setuptools", "wheel"}
PIP = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
WAIT_S = 150.0


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the checkout's files that installing reads."""
    folder = tmp_path / "copy"
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE", *map(str, ROOT.glob("*.lock"))):
        folder.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, folder)
    for name in ("scripts", "package"):
        shutil.copytree(ROOT / name, folder / name)
    for pattern in ("*.sh", "package*.json", "*/package.json", "tauri/Cargo.*", "tauri/*/Cargo.toml"):
        for path in (ROOT / "shells").glob(pattern):
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    return folder


def run(command: list[str], folder: Path, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command without any of this machine's settings except where its programs are."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "PYENV_ROOT") if name in os.environ}
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PIP_CACHE_DIR": str(home / "pip"), **PIP}
    for tool in ("RUSTUP_HOME",):  # rustup's own programs are there
        environment[tool] = os.environ.get(tool) or str(Path.home() / ".rustup")
    return subprocess.run(
        command, cwd=folder, env={**environment, **variables}, capture_output=True, text=True, timeout=WAIT_S
    )


def pins(*locks: Path) -> dict[str, str]:
    """The versions that the locks name for this system, with markers read as pip does."""
    from packaging.markers import Marker

    found: dict[str, str] = {}
    for lock in locks:
        for name, version, marker in re.findall(
            r"^([a-z0-9._-]+)==([^\s;\\]+) *;? *([^\\\n]*)", lock.read_text(), re.MULTILINE
        ):
            if not marker.strip() or Marker(marker.strip()).evaluate():
                found[normal(name)] = version
    return found


def installed(python: Path, home: Path) -> dict[str, str]:
    told = run([str(python), "-m", "pip", "list", "--format", "json"], home, home)
    return {normal(one["name"]): one["version"] for one in json.loads(told.stdout) if normal(one["name"]) not in OWN}


def test_make_setup_installs_what_the_lock_says_and_takes_away_what_it_does_not(copy: Path, tmp_path: Path) -> None:
    lock = copy / "requirements-dev.lock"
    foreign = tmp_path / "elsewhere" / "foreign-1.0.dist-info"  # packages on a person's PYTHONPATH are to be ignored
    foreign.mkdir(parents=True)
    (foreign / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    with serve(python_index([lock, copy / "requirements-run.lock"])) as url:
        index = {"PIP_INDEX_URL": f"{url}/simple/", "PYTHONPATH": str(foreign.parent)}
        made = run(["make", "runtime", f"PYTHON={sys.executable}"], copy, tmp_path, **index)
        assert made.returncode == 0, made.stdout + made.stderr
        python = copy / ".venv" / "bin" / "python"
        assert installed(python, tmp_path) == pins(copy / "requirements-run.lock")
        made = run(["make", "setup", f"PYTHON={sys.executable}"], copy, tmp_path, **index)
        assert made.returncode == 0, made.stdout + made.stderr
        assert "installing" in made.stdout
        assert installed(python, tmp_path) == pins(lock)
        made = run(["make", "runtime"], copy, tmp_path, PIP_INDEX_URL="http://127.0.0.1:9/simple/")
        assert made.returncode == 0, "a developer's environment has everything `make run` needs"
        assert installed(python, tmp_path) == pins(lock)

        text = lock.read_text("utf-8")
        gone = next(name for name in pins(lock) if name.startswith("pytest-"))
        lock.write_text(re.sub(rf"^{gone}==.*?(?=^\S)", "", text, flags=re.MULTILINE | re.DOTALL), "utf-8")
        made = run(["make", "setup"], copy, tmp_path, **index)
        assert made.returncode == 0, made.stdout + made.stderr
        assert gone not in installed(python, tmp_path)

        # This check can fail: pip refuses to resolve dependencies, because of the newer versions.
        resolving = [str(python), "-m", "pip", "install", "--require-hashes", "--force-reinstall", "-r", str(lock)]
        assert "must have their versions pinned" in run(resolving, copy, tmp_path, **index).stderr


def test_make_run_installs_what_is_shipped_and_what_mcp_servers_need_and_no_other_extra() -> None:
    run_pins, shipped = pins(ROOT / "requirements-run.lock"), pins(ROOT / "requirements.lock")
    developers, every_extra = pins(ROOT / "requirements-dev.lock"), pins(ROOT / "requirements-extras.lock")
    assert shipped.items() <= run_pins.items() <= developers.items(), "the locks name different versions"
    assert {"mcp", "fastmcp-slim"} <= run_pins.keys() - shipped.keys()
    others = {"google-genai", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"}
    assert others <= every_extra.keys() - run_pins.keys()


def test_the_frozen_daemon_s_environment_is_what_its_locks_say(copy: Path, tmp_path: Path) -> None:
    locks = [copy / "requirements.lock", copy / "requirements-package.lock"]
    with serve(python_index(locks)) as url:
        freeze = ["sh", "package/freeze.sh", sys.executable, "--environment"]
        made = run(freeze, copy, tmp_path, PIP_INDEX_URL=f"{url}/simple/")
    assert made.returncode == 0, made.stdout + made.stderr
    [python] = (tmp_path / "cache").glob("aster-sidecar/package/venv-*/bin/python")
    found, wanted = installed(python, tmp_path), pins(*locks)
    assert {**found, "setuptools": wanted["setuptools"]} == wanted


def test_a_lock_that_names_more_than_can_be_installed_is_an_error(copy: Path, tmp_path: Path) -> None:
    lock = copy / "requirements-run.lock"
    files = python_index([lock])
    lock.write_text(lock.read_text("utf-8") + f"nowhere-to-be-had==1.0 \\\n    --hash=sha256:{'0' * 64}\n", "utf-8")
    with serve(files) as url:
        made = run(["make", "runtime", f"PYTHON={sys.executable}"], copy, tmp_path, PIP_INDEX_URL=f"{url}/simple/")
    assert made.returncode != 0
    assert "nowhere-to-be-had" in made.stderr


def test_npm_installs_what_the_lock_says(copy: Path, tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        missing("npm is not here")
    lock = copy / "shells" / "package-lock.json"
    files: dict[str, bytes] = {}
    with serve(files) as url:
        files.update(npm_registry(lock, url))
        npm = {
            "npm_config_registry": url,
            "npm_config_cache": str(tmp_path / "npm"),
            "npm_config_audit": "false",
            "npm_config_fund": "false",
        }
        npm |= {"npm_config_userconfig": str(tmp_path / "mine"), "npm_config_globalconfig": str(tmp_path / "all")}
        made = run(["make", "npm"], copy, tmp_path, CI="true", **npm)
        assert made.returncode == 0, made.stdout + made.stderr
        wanted = json.loads(lock.read_text("utf-8"))["packages"]
        found = json.loads((lock.parent / "node_modules" / ".package-lock.json").read_text("utf-8"))["packages"]
        there = {
            place: entry["version"] for place, entry in found.items() if not entry.get("link") and "version" in entry
        }
        there = {place: version for place, version in there.items() if place.startswith("node_modules/")}
        assert len(there) > 300
        assert there == {place: wanted[place]["version"] for place in there}
        left = [place for place in wanted if place.startswith("node_modules/") and place not in found]
        assert [place for place in left if not wanted[place].get("optional") and not wanted[place].get("link")] == []
        for place in there:
            assert json.loads((lock.parent / place / "package.json").read_text("utf-8"))["version"] == there[place]

        # This check can fail: npm takes the newer versions when it resolves.
        lock.unlink()
        shutil.rmtree(lock.parent / "node_modules")
        only = ["--workspace", "@aster-sidecar/client", "--no-package-lock", "--ignore-scripts"]
        made = run(["npm", "install", *only], lock.parent, tmp_path, **npm)
        assert made.returncode == 0, made.stderr
        ws = wanted["node_modules/ws"]["version"]
        assert json.loads((lock.parent / "node_modules/ws/package.json").read_text("utf-8"))["version"] == newer(ws)


def test_cargo_builds_what_the_lock_says(copy: Path, tmp_path: Path) -> None:
    if shutil.which("cargo") is None:
        missing("cargo is not here")
    workspace = copy / "shells" / "tauri"
    for member in ("app", "supervisor"):
        (workspace / member / "src").mkdir(exist_ok=True)
        (workspace / member / "src" / "lib.rs").touch()
        for manifest in [workspace / member / "Cargo.toml"]:
            text = re.sub(
                r"^\[\[(example|bin|test)\]\]\n(?:.+\n)*", "", manifest.read_text("utf-8"), flags=re.MULTILINE
            )
            manifest.write_text(text, "utf-8")
    files: dict[str, bytes] = {}
    with serve(files) as url:
        files.update(cargo_registry(workspace, url))
        home = tmp_path / "cargo"
        home.mkdir()
        source = f'[source.crates-io]\nreplace-with = "here"\n[source.here]\nregistry = "sparse+{url}/index/"\n'
        (home / "config.toml").write_text(source)
        variables = {"CARGO_HOME": str(home), "RUSTUP_TOOLCHAIN": os.environ.get("RUSTUP_TOOLCHAIN", "")}
        variables = {name: value for name, value in variables.items() if value}
        told = run(["cargo", "metadata", "--format-version", "1", "--locked"], workspace, tmp_path, **variables)
        assert told.returncode == 0, told.stderr
        wanted = {
            (one["name"], one["version"]) for one in tomllib.loads((workspace / "Cargo.lock").read_text())["package"]
        }
        assert {(one["name"], one["version"]) for one in json.loads(told.stdout)["packages"]} == wanted
        assert len(wanted) > 400

        # This check can fail: cargo takes the newer versions without its lock.
        (workspace / "Cargo.lock").unlink()
        told = run(["cargo", "metadata", "--format-version", "1"], workspace, tmp_path, **variables)
        assert told.returncode == 0, told.stderr
        serde = next(version for name, version in wanted if name == "serde")
        found = {(one["name"], one["version"]) for one in json.loads(told.stdout)["packages"]}
        assert ("serde", newer(serde)) in found


def scripts() -> list[Path]:
    """The files that install or build: Makefile, shell scripts, npm scripts, CI."""
    found = [
        ROOT / "Makefile",
        ROOT / ".ci" / "run",
        *ROOT.glob("shells/*/package.json"),
        *ROOT.glob("shells/package.json"),
    ]
    for folder in ("scripts", "package", "shells"):
        found += [path for path in (ROOT / folder).rglob("*.sh") if "node_modules" not in path.parts]
    return found


def test_nothing_installs_past_the_locks() -> None:
    """Every line that could install something uses the lock, or names the hash of what it installs."""
    wrong: list[str] = []
    for path in scripts():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            said = line.split("#")[0] if path.suffix != ".json" else line
            if re.match(r"\s*(echo|missing) ", said):
                continue
            where = f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            if re.search(r"\bpip\b.*\b(install|wheel|download)\b", said) and not re.search(
                r"--no-deps|--no-index", said
            ):
                wrong.append(where)
            if (
                re.search(r"\bnpm (install|i|add|update)\b|\bnpx (?!--no\b)", said)
                and "--package-lock-only" not in said
            ):
                wrong.append(where)
            builds = re.search(r"\bcargo (build|check|clippy|test|run|install|deny|fetch)\b", said)
            if builds and "--locked" not in said and "--list" not in said:
                wrong.append(where)
            if re.search(r"\btauri build\b", said) and "-- --locked" not in said:
                wrong.append(where)
    assert wrong == []
