"""Runs all checks of the doctor and prints them. It changes nothing on this machine."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict

from aster_sidecar.cli.commands.running import places_of
from aster_sidecar.cli.config_preview import config_of
from aster_sidecar.cli.console import print_json, print_line
from aster_sidecar.cli.doctor.browser import browser
from aster_sidecar.cli.doctor.check import Check
from aster_sidecar.cli.doctor.files import agents, canonical, configuration, directories, disk, store, work_folder
from aster_sidecar.cli.doctor.machine import clock, command_path, libraries, python, sandbox
from aster_sidecar.cli.doctor.models import keys, models
from aster_sidecar.cli.doctor.proxy import proxies
from aster_sidecar.cli.doctor.running import daemon, port, token
from aster_sidecar.cli.doctor.servers import mcp_servers
from aster_sidecar.cli.exit_codes import EXIT_FAILED
from aster_sidecar.config.places import STORE_NAME
from aster_sidecar.config.settings import Config
from aster_sidecar.daemon.client import find
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.text.safe_text import visible

STYLES: dict[str, str] = {"ok": "green", "warning": "yellow", "failed": "bold red", "skipped": "dim"}


def run_doctor(given: argparse.Namespace) -> int:
    """Run every check and print it; returns the exit code, 1 when one has failed."""
    found: list[Check] = []
    for check in checks(given):
        found.append(check)
        if not given.json:
            show(check)
    counts = {status: sum(check.status == status for check in found) for status in STYLES}
    healthy = counts["failed"] == 0
    if given.json:
        print_json({"healthy": healthy, "counts": counts, "checks": [asdict(check) for check in found]})
    else:
        words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        print_line((words, "bold" if healthy else "bold red"))
    return 0 if healthy else EXIT_FAILED


def show(check: Check) -> None:
    """Print one check and its remedy."""
    print_line((f"{check.status:<8}", STYLES[check.status]), f" {check.name:<17} {visible(check.detail)}")
    if check.remedy:
        print_line(" " * 27, ("→ ", "dim"), visible(check.remedy))


def checks(given: argparse.Namespace) -> Iterator[Check]:
    """Every check, in the order in which a start of the daemon would meet the problems."""
    where = places_of(given)
    running = find(where.data_dir)
    yield python()
    yield libraries()
    yield from directories(where)
    at: str | None = None
    if given.work_dir is not None:
        work = work_folder(where.config_dir, given.work_dir)
        yield work
        at = canonical(given.work_dir) if work.status != "failed" else None
    config: Config | None = None
    try:
        config = config_of(where, model=given.model, work_dir=at)
    except ConfigInvalid as error:
        yield Check("configuration", "failed", error.message, error.hint or "fix it")
    else:
        yield configuration(where, config)
        yield agents(where, config)
    yield disk(where.data_dir)
    yield store(where.data_dir / STORE_NAME, running)
    yield daemon(where.data_dir, running)
    yield token(running)
    yield port(given.port, given.framework, running)
    yield keys(os.environ)
    yield from models(config, ask=not given.no_model)
    yield from mcp_servers(where.config_path, running)
    yield from browser(where, running)
    yield sandbox(config.value("sandbox") if config is not None else "off")
    yield command_path(config.value("command_path") if config is not None else "auto", os.environ)
    yield proxies()
    yield clock(where.data_dir)
