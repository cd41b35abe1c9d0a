"""llama.cpp's own server with a small model, in a separate process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

START_S = 60.0


@dataclass
class LlamaServer:
    """A server that can be started again on its port. `more`: flags besides those that every test needs."""

    program: str
    model: Path
    log: Path
    more: list[str] = field(default_factory=list[str])
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> LlamaServer:
        """Start it and wait until it has loaded the model."""
        flags = ["--model", str(self.model), "--alias", "two-layers", "--host", "127.0.0.1", "--port", str(self.port)]
        flags += ["--parallel", "1", "--threads", "2", "--device", "none", "--no-warmup", "--no-ui", "--offline"]
        began = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([self.program, *flags, *self.more], stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not (said := self.log.read_text("utf-8", "replace")[began:]).count("listening on http"):
            assert self.process.poll() is None, f"llama-server ended with {self.process.returncode}:\n{said[-2000:]}"
            assert time.monotonic() < deadline, f"llama-server did not start:\n{said[-2000:]}"
            time.sleep(0.02)
        self.port = int(said.split("listening on http://127.0.0.1:")[1].split()[0])
        while httpx.get(f"{self.url}/health", trust_env=False).status_code != 200:
            assert time.monotonic() < deadline, "llama-server did not load its model"
            time.sleep(0.02)
        return self

    def idle(self, within_s: float = 20.0) -> bool:
        """Whether the server stops working on answers within the time."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            slots = httpx.get(f"{self.url}/slots", trust_env=False).json()
            if not any(slot["is_processing"] for slot in slots):
                return True
            time.sleep(0.05)
        return False

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


def environment(server: LlamaServer, **more: str) -> dict[str, str]:
    """Variables that make a daemon talk to the server in each dialect that it speaks."""
    key = "sk-test-0123456789"
    return {
        "ASTER_MODEL": "llamacpp:two-layers",
        "LLAMACPP_BASE_URL": server.url,
        "OPENAI_API_KEY": key,
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_API_KEY": key,
        "ANTHROPIC_BASE_URL": server.url,
        **more,
    }


def program() -> str | None:
    """The path of the server's program: LLAMA_SERVER, or the one in the environment that `make test-llama` made."""
    if named := os.environ.get("LLAMA_SERVER"):
        return named
    python = os.environ.get("ASTER_LLAMA_PYTHON")
    ours = Path(python).parent / "llama-server-vulkan" if python else None
    return str(ours) if ours is not None and ours.exists() else None
