"""Installs exactly what lock files name into the environment whose Python runs this, and nothing else.

    .venv/bin/python scripts/install.py [--project DIR] [--unless LOCK] [--compile] LOCK...

Nothing is resolved: pip would otherwise look for what `name[extra]` needs among the newest releases, even where the
lock pins every one of them, and fail (or install another set) on the day of the next release. Builds from source are
refused too: they would fetch the newest build tools. Afterwards the environment is compared with the locks.

--project DIR    also install this checkout, editable, with the build tools that the lock brought
--unless LOCK    do nothing if the environment has exactly the packages of this larger lock
--compile        compile the packages now, and not when they are first imported
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import sysconfig
import time
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging.markers import Marker  # an environment has pip before anything else

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*(?:--hash=\S+\s*)*\\?$", re.MULTILINE)
PROJECT = "aster-sidecar"
SEEDS = frozenset(("pip", "setuptools", "wheel", PROJECT))
"""What an environment has without a lock: its own tools and the checkout."""


def normal(name: str) -> str:
    """A distribution's name in the form in which all its spellings are equal. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(paths: list[Path]) -> dict[str, str]:
    """The version of each distribution that the lock files name for this system and Python."""
    found: dict[str, str] = {}
    for path in paths:
        for name, version, marker in PIN.findall(path.read_text("utf-8")):
            if not marker or Marker(marker).evaluate():
                found[normal(name)] = version
    return found


def installed() -> dict[str, str]:
    """The version of each distribution in this environment."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}  # not what PYTHONPATH adds
    return {normal(one.metadata["Name"]): one.version for one in metadata.distributions(path=list(folders))}


def differences(wanted: dict[str, str]) -> list[str]:
    """How the environment differs from the locks, in words; empty when it does not."""
    there = installed()
    wrong = [
        f"{name} {there.get(name, 'missing')}, not {want}" for name, want in wanted.items() if there.get(name) != want
    ]
    return wrong + [f"{name} is not in the lock" for name in there if name not in wanted and name not in SEEDS]


def pip(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True)


def sync(locks: list[Path], compiled: bool) -> None:
    """Make the environment match the locks. Raises: SystemExit when it does not match afterwards."""
    wanted = locked(locks)
    if not differences(wanted):
        return
    where = Path(sys.prefix).name
    print(
        f"installing {len(wanted)} Python packages from {', '.join(one.name for one in locks)} into {where}", flush=True
    )
    began = time.monotonic()
    files = [word for lock in locks for word in ("-r", str(lock))]
    pip("install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input", "--no-compile", *files)
    if compiled:  # pip compiles on one core. A file that can't be compiled is never imported.
        compile_all = [sys.executable, "-m", "compileall", "-qq", "-j", "0", sysconfig.get_path("purelib")]
        subprocess.run(compile_all, check=False, stdout=subprocess.DEVNULL)
    if surplus := sorted(installed().keys() - wanted.keys() - SEEDS):
        pip("uninstall", "--yes", *surplus)
    if wrong := differences(wanted):
        raise SystemExit(f"the environment is not what the lock says: {'; '.join(wrong)}")
    print(f"installed {len(wanted)} Python packages in {time.monotonic() - began:.0f} s", flush=True)


def install_project(folder: Path) -> None:
    """Install the checkout as editable, unless it is already installed from the same pyproject.toml."""
    stamp = Path(sys.prefix) / ".aster-project"
    state = f"{folder.resolve()} {hashlib.sha256((folder / 'pyproject.toml').read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text("utf-8") == state and PROJECT in installed():
        return
    pip("install", "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(folder))
    stamp.write_text(state, "utf-8")


def main() -> None:
    said = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    said.add_argument("locks", nargs="+", type=Path, metavar="LOCK")
    said.add_argument("--project", type=Path, metavar="DIR")
    said.add_argument("--unless", type=Path, metavar="LOCK")
    said.add_argument("--compile", action="store_true")
    given = said.parse_args()
    if given.unless is None or differences(locked([given.unless])):
        sync(given.locks, given.compile)
    if given.project is not None:
        install_project(given.project)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
