"""Local registries for pip, npm and cargo in which a newer version of every package exists.

Their packages are empty, but have the names, versions and dependencies of the real packages that the lock files name.
An install that uses only the locks never sees the newer versions; one that resolves dependencies chooses them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
import threading
import tomllib
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)([^\\\n]*)\\?\n((?:    --hash.*\n)+)", re.MULTILINE)
BACKEND = '''
import pathlib, re, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    """What pip needs of a build backend to install the checkout."""
    name = "aster_sidecar-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("aster_sidecar.pth", str(pathlib.Path.cwd()))
        about = "aster_sidecar-0.1.0.dist-info/"
        wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\\nName: aster-sidecar\\nVersion: 0.1.0\\n")
        wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(about + "RECORD", "")
    return name
'''


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@contextmanager
def serve(files: Mapping[str, bytes]) -> Generator[str, None, None]:
    """Serve these paths. Yields the server's URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # in one piece: with two, the second would wait 40 ms for an acknowledgement

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].replace("%2f", "/").replace("%2F", "/").replace("%40", "@")
            body = files.get(path)
            self.send_response(404 if body is None else 200)
            kind = (
                "text/html"
                if path.endswith("/")
                else "application/json"
                if path[-4:] not in (".tgz", ".whl")
                else "x/y"
            )
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# -- Python ------------------------------------------------------------------------------------------------------------


def wheel(name: str, version: str) -> bytes:
    """An empty wheel with the dependencies that the installed distribution of that name has."""
    try:
        about = metadata.metadata(name)
        needs = [f"Requires-Dist: {one}" for one in about.get_all("Requires-Dist") or []]
        needs += [f"Provides-Extra: {one}" for one in about.get_all("Provides-Extra") or []]
    except metadata.PackageNotFoundError:  # a package that only freezing needs
        needs = []
    spelled = name.replace("-", "_")
    info = f"{spelled}-{version}.dist-info"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as out:
        said = {
            f"{info}/METADATA": "\n".join(
                ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *needs, ""]
            ),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }
        if name == "hatchling":
            said |= {"hatchling/__init__.py": "", "hatchling/build.py": BACKEND}
        for path, text in said.items():
            out.writestr(zipfile.ZipInfo(path), text)
    return made.getvalue()


def python_index(locks: list[Path]) -> dict[str, bytes]:
    """The pages and wheels of an index for the packages of the locks. Puts these wheels' hashes into the locks."""
    files: dict[str, bytes] = {}
    pages: dict[str, list[str]] = {}
    for lock in locks:

        def pin(found: re.Match[str]) -> str:
            name, version, marker = found[1], found[2], found[3]
            for one in (version, f"{version}.999"):
                path = f"/wheels/{name.replace('-', '_')}-{one}-py3-none-any.whl"
                files.setdefault(path, wheel(name, one))
                link = f'<a href="{path}">{path.rpartition("/")[2]}</a>'
                page = pages.setdefault(normal(name), [])
                if link not in page:
                    page.append(link)
            path = f"/wheels/{name.replace('-', '_')}-{version}-py3-none-any.whl"
            return f"{name}=={version}{marker}\\\n    --hash=sha256:{hashlib.sha256(files[path]).hexdigest()}\n"

        lock.write_text(PIN.sub(pin, lock.read_text("utf-8")), "utf-8")
    files |= {
        f"/simple/{name}/": f"<html><body>{''.join(links)}</body></html>".encode() for name, links in pages.items()
    }
    return files


# -- npm ---------------------------------------------------------------------------------------------------------------


def archive(files: Mapping[str, str]) -> bytes:
    """A .tar.gz of these files, the same bytes each time."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as out:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            entry.mode = 0o755
            out.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(made.getvalue(), compresslevel=1, mtime=0)


def newer(version: str) -> str:
    """A later patch version."""
    release = re.split(r"[-+]", version)[0].split(".")
    return ".".join([*release[:-1], str(int(release[-1]) + 999)])


def npm_registry(lock: Path, url: str) -> dict[str, bytes]:
    """A registry's documents and tarballs for the packages of the lock. Puts these tarballs' hashes into the lock."""
    told: dict[str, Any] = json.loads(lock.read_text("utf-8"))
    files: dict[str, bytes] = {}
    documents: dict[str, Any] = {}
    kept = (
        "bin",
        "dependencies",
        "optionalDependencies",
        "peerDependencies",
        "peerDependenciesMeta",
        "engines",
        "os",
        "cpu",
    )
    for place, entry in told["packages"].items():
        if "node_modules/" not in place or entry.get("link"):
            continue
        name = entry.get("name") or place.rpartition("node_modules/")[2]
        document = documents.setdefault(name, {"name": name, "versions": {}, "dist-tags": {}})
        for version in (entry["version"], newer(entry["version"])):
            about: dict[str, Any] = {
                "name": name,
                "version": version,
                **{key: entry[key] for key in kept if key in entry},
            }
            bins = entry.get("bin", {})
            programs = {f"package/{Path(path)}": "" for path in (bins.values() if isinstance(bins, dict) else [bins])}
            path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
            files[path] = archive({"package/package.json": json.dumps(about), **programs})
            sum_ = "sha512-" + base64.b64encode(hashlib.sha512(files[path]).digest()).decode()
            document["versions"][version] = {**about, "dist": {"tarball": url + path, "integrity": sum_}}
            document["dist-tags"]["latest"] = newer(entry["version"])
            if version == entry["version"]:
                entry["integrity"] = sum_
    lock.write_text(json.dumps(told, indent=2), "utf-8")
    return files | {f"/{name}": json.dumps(document).encode() for name, document in documents.items()}


# -- cargo -------------------------------------------------------------------------------------------------------------


def cargo_registry(workspace: Path, url: str) -> dict[str, bytes]:
    """The index and crates of a sparse registry for the crates of Cargo.lock.

    Puts these crates' hashes into Cargo.lock.
    """
    lock = workspace / "Cargo.lock"
    text = lock.read_text("utf-8")
    told = [one for one in tomllib.loads(text)["package"] if "source" in one]
    versions: dict[str, list[str]] = {}
    for one in told:
        versions.setdefault(one["name"], []).append(one["version"])
    features = asked_features(workspace)
    files: dict[str, bytes] = {"/index/config.json": json.dumps({"dl": url + "/crates/{crate}/{version}"}).encode()}
    lines: dict[str, list[str]] = {}
    for one in told:
        needs: list[Any] = []
        for entry in one.get("dependencies", []):
            name, *version = entry.split()
            needs.append((name, version[0] if version else versions[name][0]))
        for version in (one["version"], newer(one["version"])):
            manifest = [
                f'[package]\nname = "{one["name"]}"\nversion = "{version}"\nedition = "2021"\n[lib]\npath = "lib.rs"\n'
            ]
            alias = {(name, req): f"d{place}" for place, (name, req) in enumerate(needs)}
            manifest += [
                f'[dependencies.{alias[name, req]}]\npackage = "{name}"\nversion = "{caret(req)}"\n'
                for name, req in needs
            ]
            manifest += ["[features]\n", *(f'"{feature}" = []\n' for feature in features.get(one["name"], ()))]
            folder = f"{one['name']}-{version}"
            crate = archive({f"{folder}/Cargo.toml": "".join(manifest), f"{folder}/lib.rs": ""})
            files[f"/crates/{one['name']}/{version}"] = crate
            checksum = hashlib.sha256(crate).hexdigest()
            line: dict[str, Any] = {
                "name": one["name"],
                "vers": version,
                "deps": [
                    {
                        "name": alias[name, req],
                        "package": name,
                        "req": caret(req),
                        "features": [],
                        "optional": False,
                        "default_features": True,
                        "target": None,
                        "kind": "normal",
                    }
                    for name, req in needs
                ],
                "cksum": checksum,
                "features": {feature: [] for feature in features.get(one["name"], ())},
                "yanked": False,
            }
            lines.setdefault(one["name"], []).append(json.dumps(line))
            if version == one["version"]:
                text = text.replace(one["checksum"], checksum)
    lock.write_text(text, "utf-8")
    for name, found in lines.items():
        low = name.lower()
        path = {1: f"1/{low}", 2: f"2/{low}", 3: f"3/{low[0]}/{low}"}.get(len(low), f"{low[:2]}/{low[2:4]}/{low}")
        files[f"/index/{path}"] = "\n".join(found).encode()
    return files


def caret(version: str) -> str:
    """A requirement that accepts this version and every later compatible one."""
    return "^" + version.partition("+")[0]


def asked_features(workspace: Path) -> dict[str, set[str]]:
    """The features of crates that the workspace's own manifests request."""
    asked: dict[str, set[str]] = {}
    for path in workspace.glob("*/Cargo.toml"):
        told = tomllib.loads(path.read_text("utf-8"))
        tables = [told, *told.get("target", {}).values()]
        for table in tables:
            for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
                for name, about in table.get(kind, {}).items():
                    if isinstance(about, dict):
                        asked.setdefault(name, set()).update(about.get("features", ()))
        for needs in told.get("features", {}).values():
            for one in needs:
                name, slash, feature = one.partition("/")
                if slash:
                    asked.setdefault(name, set()).add(feature)
    return asked
