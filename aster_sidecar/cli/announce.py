"""What a daemon prints on stdout when it is ready: lines for a person, or one JSON line for its launcher."""

from __future__ import annotations

import contextlib
import json
import sys

from aster_sidecar import __version__
from aster_sidecar.api.browser_login import PRINTED_S
from aster_sidecar.contract.wire import PROTOCOL
from aster_sidecar.daemon.daemon import Daemon
from aster_sidecar.frozen import own_command
from aster_sidecar.telemetry.log_file import FILE as LOG


def announce(daemon: Daemon) -> None:
    """Print where the daemon listens, whether a token is set, and how to try it."""
    settings = daemon.identity.settings
    url = daemon.identity.url
    token = settings.token is not None
    who = "a token is set" if token else "no token: all programs of this user may use it"
    curl = "curl" + (' -H "Authorization: Bearer $ASTER_SIDECAR_TOKEN"' if token else "")
    places = settings.places
    kept = [places.config_path, places.data_dir, *([places.logs_dir / LOG] if settings.log_file else [])]
    files = ", ".join(map(str, kept))
    model = daemon.models.name() or "none chosen, although a key is set: choose one with POST /api/config"
    also = f" and on {settings.uds}" if settings.uds is not None else ""
    lines = [
        f"Aster Sidecar {__version__} listens on {url}{also} for {settings.framework} ({who})",
        f"  model: {model}   work dir: {daemon.config.work_dir}",
        f"  files: {files}",
        f"  watch: {curl} -N {url}/api/events",
        f"  talk:  {curl} {url}/api/chat -H 'Content-Type: application/json' "
        '-d \'{"agent_id": "default", "message": "hello"}\'',
    ]
    if daemon.has_page and settings.framework == "web":
        once = f" (once, within {PRINTED_S / 60:g} minutes)" if token else ""
        lines.insert(1, f"  open:  {daemon.page_link(printed=True)}{once}")
    print("\n".join(lines), flush=True)


def announce_and_open(daemon: Daemon) -> None:
    """As `announce`, and open the web UI in the browser."""
    announce(daemon)
    if daemon.has_page:
        show_page(daemon.page_link())


def show_page(url: str) -> None:
    """Open the browser.

    On Linux it is detached first, because the daemon refuses requests of programs that descend from it.
    """
    if sys.platform == "linux":
        import subprocess

        argv = ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", *own_command(), "--show-page", url]
        with contextlib.suppress(OSError):
            subprocess.run(argv, check=False, start_new_session=True)
        return
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def announce_ready(daemon: Daemon) -> None:
    """Print the ready line for the launcher: one line of JSON, as in docs/protocol.md."""
    identity = daemon.identity
    ready = {
        "event": "ready",
        "url": identity.url,
        "port": identity.port,
        "pid": identity.pid,
        "instance_id": identity.instance_id,
        "protocol": PROTOCOL,
        "version": __version__,
    }
    if identity.settings.uds is not None:
        ready["uds"] = str(identity.settings.uds)
    print(json.dumps(ready), flush=True)
