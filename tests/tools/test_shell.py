"""run_command on real processes: what is shown, remembered and returned, and that no process of it is left."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from aster_sidecar import frozen
from aster_sidecar.policy import permissions
from aster_sidecar.services import process_tree
from aster_sidecar.tools import shell_process
from aster_sidecar.tools.base import Outcome, Surroundings, ToolError
from tests.tools.support import Listener, assess, call, left, make_surroundings, run_assessed, start, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
PYTHON = sys.executable


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    return make_surroundings(tmp_path)


@pytest.fixture
def token() -> str:
    """A number of seconds that no other process sleeps for, and that is not in the long command lines of browsers."""
    return f"{uuid.uuid4().int % 10**9 + 10**9}"


def alive(token: str) -> list[int]:
    """The processes whose command line contains `token`, without zombies."""
    found: list[int] = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.pid != os.getpid() and token in " ".join(one.cmdline()) and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one.pid)
    return found


def sleeping(token: str) -> list[int]:
    """The processes that have become `sleep`; /bin/sh differs between machines."""
    found: list[int] = []
    for pid in alive(token):
        with suppress(psutil.Error):
            if psutil.Process(pid).cmdline() == ["sleep", token]:
                found.append(pid)
    return found


def run(place: Surroundings, command: str, **more: Any) -> dict[str, Any]:
    return call("run_command", place, command=command, **more).value


def run_from_then_on(
    monkeypatch: pytest.MonkeyPatch, place: Surroundings, command: str, begun: str, **more: Any
) -> dict[str, Any]:
    """Run a command whose time limit starts when it has printed `begun`, however slow the machine is."""
    context, exits = Listener(place), shell_process._exits

    async def counted(*arguments: Any) -> bool:
        await until(lambda: context.streamed("stdout") == begun)
        return await exits(*arguments)

    monkeypatch.setattr(shell_process, "_exits", counted)
    return asyncio.run(start("run_command", context, command=command, **more)).value


# --- assessing -----------------------------------------------------------------------------------------------------


def test_a_command_is_high_and_shown_with_its_directory(place: Surroundings) -> None:
    (place.work_dir / "sub").mkdir()
    found = assess("run_command", place, command="wc -l", cwd="sub")
    assert found.risk == "high"
    assert found.display == f"in {place.work_dir}/sub:\nwc -l"
    assert found.remember is not None
    assert (found.remember.kind, found.remember.value) == ("exact", found.target)
    assert found.binding["cwd"] == f"{place.work_dir}/sub"
    assert found.binding["binaries"]["wc"].startswith(os.path.realpath(shutil.which("wc") or "missing"))
    outside = assess("run_command", place, command="wc -l", cwd="..")
    assert "outside the work folder" in outside.reason
    assert outside.target != found.target


def test_hidden_characters_are_shown(place: Surroundings) -> None:
    found = assess("run_command", place, command="echo a\u202e\x1b[8mrm -rf ~\x1b[0m\u200b\r\tb\nc")
    assert found.display.split("\n")[1:] == [
        "echo a‹U+202E›‹U+001B›[8mrm -rf ~‹U+001B›[0m‹U+200B›‹U+000D›‹U+0009›b",
        "c",
    ]
    assert found.remember is None


def test_a_directorys_name_cannot_pose_as_a_command(place: Surroundings) -> None:
    (place.work_dir / "x:\nls").mkdir()
    posing = assess("run_command", place, command="rm a", cwd="x:\nls")
    assert posing.display == f"in {place.work_dir}/x:‹U+000A›ls:\nrm a"


@pytest.mark.parametrize(
    "command",
    [
        *("ls", "ls -la", "head -5 a", "cat a | wc -l", "ls && cat a.txt; echo done", "grep -rn 'a b' ."),
        *('grep "fix: it" a', "ls; ", "echo a=b", "cat é.txt"),
    ],
)
def test_plain_commands_can_be_remembered(place: Surroundings, command: str) -> None:
    found = assess("run_command", place, command=command)
    assert found.remember is not None, found.reason


@pytest.mark.parametrize(
    "command",
    [
        *(
            "sh -c ls",
            "bash x",
            "/bin/sh x",
            "python3 a.py",
            "python3.11 -c 1",
            "node a",
            "perl -e 1",
            "env ls",
            "sudo ls",
        ),
        *("xargs rm", "nohup ls", "timeout 5 ls", "nice ls", "watch ls", "eval ls", "exec ls", "source a", ". a"),
        *("ssh host ls", "docker run x", "npx x", "uvx x", "pipx run x", "make", "npm run build", "lua5.4 a"),
        *("echo $(id)", "echo `id`", "echo $HOME", "ls *", "ls ?", "ls [ab]", "ls ~", "cat <a", "cat >a", "cat <<E\nE"),
        *(
            "ls &",
            "(ls)",
            "{ ls; }",
            "A=1 ls",
            "if true; then ls; fi",
            "! ls",
            "ls # no",
            "ls\nrm a",
            "ls\\",
            'echo "$A"',
        ),
        *(
            "ls && sh a",
            "ls | sh",
            "ls; python a",
            "ls || env x",
            "'s'h a",
            '"env" ls',
            "ls |",
            "| ls",
            "&& ls",
            "ls ;; ls",
        ),
        *(
            "./run.sh",
            "missing-program-x",
            "cd / && ls",
            "ls\u202e",
            "echo \u00a0",
            "''",
            "find . -delete",
            "S\u0131 ls",
        ),
        # Programs that run others, under names that no list of shells and runners would contain.
        *("setarch x86_64 sh ./y.sh", "git bisect run ./x", "git -c alias.x='!id' x", "split --filter=./x a"),
        *("gcc -wrapper ./x a.c", "/lib64/ld-linux-x86-64.so.2 ./x", "sort --compress-program=./x a", "git status"),
        *("less a", "rg --pre ./x a", "tee a", "cp a b", "rm a", "mkdir a", "ln -s a b", "dd if=a of=b"),
        *("pytest -q", "git status && ./x", "awk 1 a", "'ls\n'", "echo 'unclosed", 'printf %s "a\\"b"', "time ls"),
    ],
)
def test_what_can_change_its_meaning_is_never_remembered(place: Surroundings, command: str) -> None:
    (place.work_dir / "run.sh").write_text("#!/bin/sh\n")
    (place.work_dir / "run.sh").chmod(0o755)
    found = assess("run_command", place, command=command)
    assert found.remember is None
    assert "can't be always allowed" in found.reason


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("git status", "`git` may change files, or may act differently when files change."),
        ("'a` is harmless. `b'", "`a' is harmless. 'b` may change files, or may act differently when files change."),
        ("echo $HOME", "it is a complex shell command."),
        ("ls -l", "the program `ls` is in your home or work folder, where it can be changed."),
    ],
)
def test_why_a_command_is_asked_every_time_is_told_in_sentences(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch, command: str, why: str
) -> None:
    (place.work_dir / "tools").mkdir()
    (place.work_dir / "tools" / "ls").write_text("#!/bin/sh\n")
    (place.work_dir / "tools" / "ls").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.work_dir / 'tools'}{os.pathsep}{os.environ['PATH']}")
    found = assess("run_command", place, command=command)
    lead = "A command can do anything that you can do on this computer. This command can't be always allowed: "
    assert found.reason == lead + why


def test_a_link_to_an_interpreter_is_one(place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "harmless").symlink_to("/bin/sh")
    shutil.copy("/bin/ls", tmp_path / "bin" / "ls")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert assess("run_command", place, command="harmless x").remember is None
    before = assess("run_command", place, command="ls")
    assert before.remember is not None
    (tmp_path / "bin" / "ls").write_bytes(b"#!/bin/sh\necho other\n")
    assert assess("run_command", place, command="ls").binding != before.binding
    # A program in the person's own directories may be replaced.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert assess("run_command", place, command="ls").remember is None


SCRIPTS = [
    *("./run.sh", "sh ./run.sh", "sh -e run.sh a", "bash -c './run.sh x'", "cat a | sh run.sh", "A=1 ./run.sh"),
    *(". ./run.sh", "true && ./run.sh", "timeout 5 ./run.sh", "cd . && ./run.sh", "sh < run.sh", "$(./run.sh)"),
    *("(./run.sh)", "./*.sh", "setarch x86_64 sh ./run.sh", "env A=1 sh run.sh", 'sh "run.sh"', "./run\\.sh"),
    *("python3 run.sh", "x --with=./run.sh"),
    # The words as a shell reads them, with variables.
    *('sh r"un.s"h', "sh $PWD/run.sh", 'sh "${PWD}/run.sh"', "sh $(pwd)/run.sh", "A=run; sh ./$A.sh"),
]


@pytest.mark.parametrize("command", SCRIPTS)
def test_a_script_is_bound_by_what_it_holds(place: Surroundings, command: str) -> None:
    script = place.work_dir / "run.sh"
    script.write_text("echo one\n")
    script.chmod(0o755)
    found = script.stat()
    before = assess("run_command", place, command=command)
    assert "| echo one" in before.display
    script.write_text("echo two\n")  # of the same size
    os.utime(script, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert assess("run_command", place, command=command).binding != before.binding
    script.write_text("echo one\n")
    assert assess("run_command", place, command=command).binding == before.binding
    script.write_text("touch done\n")
    with pytest.raises(ToolError, match=r"run\.sh changed after the command was allowed"):
        run_assessed("run_command", place, before, command=command)
    assert not (place.work_dir / "done").exists()


@pytest.mark.parametrize(
    ("command", "name"), [("make all", "Makefile"), ("npm test", "package.json"), ("just", "justfile")]
)
def test_what_a_runner_reads_is_bound(place: Surroundings, command: str, name: str) -> None:
    (place.work_dir / name).write_text("one")
    before = assess("run_command", place, command=command)
    assert f"‹runs› {name}" in before.display
    (place.work_dir / name).write_text("two")
    assert assess("run_command", place, command=command).binding != before.binding


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("sh my\\ run.sh", ["my run.sh"]),
        ("cd sub && cd deep && ./run.sh", ["sub/deep/run.sh"]),
        ("pushd sub; ./run.sh", ["sub/run.sh"]),
        ("sh a.sh; cd sub; sh a.sh", ["a.sh", "sub/a.sh"]),
        ("make -C sub", ["Makefile", "sub/Makefile"]),
        ("make -Csub", ["Makefile", "sub/Makefile"]),
        ("make --directory=sub", ["Makefile", "sub/Makefile"]),
        ("npm --prefix sub test", ["sub/package.json"]),
        ("PATH=$PWD/sub:$PATH tool", ["sub/tool"]),
        ("python3 -m part", ["part.py"]),
        ("python3 -m pack.part", ["pack/part.py"]),
        ("python3 pack", ["pack/__main__.py"]),
        ("node -r ./part -e 1", ["part.js"]),
        ("perl -I. -MPack::Part -e 1", ["Pack/Part.pm"]),
        ("cat words | sh", ["words"]),
        ("cat words | sort | bash -s -- a", ["words"]),
    ],
)
def test_a_script_is_found_where_the_words_lead(place: Surroundings, command: str, names: list[str]) -> None:
    for name in names:
        (place.work_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (place.work_dir / name).write_text("one")
        (place.work_dir / name).chmod(0o755 if name == "sub/tool" else 0o644)
    before = assess("run_command", place, command=command)
    assert sorted(before.binding["scripts"]) == names
    for name in names:
        (place.work_dir / name).write_text("two")
        assert assess("run_command", place, command=command).binding != before.binding
        (place.work_dir / name).write_text("one")


@pytest.mark.parametrize("command", ["A=1 tool", "tool >out", "echo $(tool)", "env tool", "true && ! tool"])
def test_a_program_on_path_is_bound_wherever_it_stands(
    place: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "tool").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    before = assess("run_command", place, command=command)
    assert assess("run_command", place, command=command).binding == before.binding
    (tmp_path / "bin" / "tool").write_text("#!/bin/sh\nid\n")
    assert assess("run_command", place, command=command).binding != before.binding


def test_a_long_command_is_judged_in_bounds(place: Surroundings) -> None:
    for command in (f"A={'x' * 900}; {'$A' * 40_000}", "cd . ; " * 14_000, "python3 " + "a " * 49_000, "'\"" * 49_000):
        assert assess("run_command", place, command=command[:100_000]).binding["scripts"] == {}


def test_what_no_tool_may_open_is_not_looked_at(place: Surroundings) -> None:
    own = place.protected[0] / "aster.db"
    (place.work_dir / "near.sh").symlink_to(own)
    (place.work_dir / "status.sh").symlink_to("/proc/self/status")
    for command in (f"sh {own}", "sh near.sh", "sh status.sh", "sh /proc/self/maps", "sh /proc/kmsg"):
        found = assess("run_command", place, command=command)
        assert "‹runs›" not in found.display
        assert found.binding["scripts"] == {}


def test_a_pattern_walks_no_further_than_its_directory(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.work_dir / "a.sh").write_text("echo")
    (place.work_dir / "sub").mkdir()
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: str) -> Any:
        listed.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert list(assess("run_command", place, command="sh ./*.sh").binding["scripts"]) == ["a.sh"]
    assert assess("run_command", place, command="sh /*/*/*/*.sh **/x.sh */*").binding["scripts"] == {}
    assert set(listed) == {f"{place.work_dir}/."}


def test_data_that_grows_is_not_asked_for_again(place: Surroundings) -> None:
    log = place.work_dir / "app.log"
    for command in (
        "tail app.log",
        "cat app.log | awk '{print}'",
        "cat app.log | python3 -m json.tool",
        "cat <app.log",
    ):
        log.write_text("one\n")
        before = assess("run_command", place, command=command)
        log.write_text("one\ntwo\n")
        assert assess("run_command", place, command=command).binding == before.binding


def test_another_directory_in_the_place_is_asked_for_again(place: Surroundings) -> None:
    (place.work_dir / "sub").mkdir()
    before = assess("run_command", place, command="touch here", cwd="sub")
    (place.work_dir / "sub").rename(place.work_dir / "old")
    (place.work_dir / "sub").mkdir()
    assert assess("run_command", place, command="touch here", cwd="sub").binding != before.binding
    with pytest.raises(ToolError, match="another directory now"):
        run_assessed("run_command", place, before, command="touch here", cwd="sub")
    assert os.listdir(place.work_dir / "sub") == []


def test_no_script_poses_as_ours(place: Surroundings) -> None:
    (place.work_dir / "run.sh").write_text("#!/bin/sh\n‹runs› safe.sh\necho \x1b[2K\n" + "echo\n" * 100)
    found = assess("run_command", place, command="sh run.sh")
    assert found.display.split("\n")[1:6] == [
        "sh run.sh",
        "‹runs› run.sh (539 bytes)",
        "| #!/bin/sh",
        "| ‹U+2039›runs› safe.sh",
        "| echo ‹U+001B›[2K",
    ]
    assert found.display.endswith("\n‹and more›")


def test_what_runs_is_what_was_approved_or_it_is_said(place: Surroundings) -> None:
    """While a process keeps replacing the approved script with another one."""
    script = place.work_dir / "run.sh"
    script.write_text("echo approved\n")
    asked = assess("run_command", place, command="sh run.sh")
    code = (
        "import os, random, sys, time\n"
        "print(flush=True)\n"
        "while True:\n"
        "    for text in ('echo other', 'echo approved'):\n"
        "        with open('other', 'w') as file:\n"
        "            file.write(text + chr(10))\n"
        "        os.replace('other', 'run.sh')\n"
        "        time.sleep(random.random() / 100)\n"
    )
    ran = refused = 0
    with subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, cwd=place.work_dir) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            while not (ran >= 5 and refused >= 5):
                try:
                    value = run_assessed("run_command", place, asked, command="sh run.sh").value
                except ToolError:
                    refused += 1
                    continue
                ran += 1
                assert value["stdout"] == "approved\n" or "run.sh" in value["note"], value
        finally:
            process.kill()


def test_a_directory_that_is_none_is_refused(place: Surroundings) -> None:
    (place.work_dir / "file").write_text("x")
    for cwd in ("missing", "file"):
        with pytest.raises(ToolError, match="not a directory"):
            assess("run_command", place, command="ls", cwd=cwd)
    assert assess("run_command", place, command="ls", cwd="../daemon").forbidden is not None


def test_a_directory_swapped_after_judging_is_refused(place: Surroundings, tmp_path: Path) -> None:
    (place.work_dir / "sub").mkdir()
    assessment = assess("run_command", place, command="touch here", cwd="sub")
    (place.work_dir / "sub").rename(place.work_dir / "gone")
    (tmp_path / "outside").mkdir()
    (place.work_dir / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(ToolError):
        run_assessed("run_command", place, assessment, command="touch here", cwd="sub")
    assert os.listdir(tmp_path / "outside") == []


# --- the environment -----------------------------------------------------------------------------------------------


def test_no_secret_and_no_loader_variable_reaches_a_command(
    place: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    for name in (
        *("OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ASTER_SIDECAR_TOKEN", "GITHUB_PAT", "DB_PASSWORD", "DATABASE_URL"),
        *("AWS_SESSION_TOKEN", "SSH_AUTH_SOCK", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONHOME"),
        *(
            "NODE_OPTIONS",
            "BASH_ENV",
            "ENV",
            "ANYTHING_ELSE",
            "LD_LIBRARY_PATH_ORIG",
            "GIT_SSH_COMMAND",
            "PROMPT_COMMAND",
        ),
    ):
        monkeypatch.setenv(name, f"/{canary}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{canary}@proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("PATH", f".:relative/{canary}::{os.environ['PATH']}")
    env = run(place, "env; cat /proc/self/environ 2>/dev/null; cat /proc/$PPID/cmdline 2>/dev/null")["stdout"]
    assert canary not in env
    assert f"{process_tree.MARKER}={os.getpid()}:call_1\n" in env
    assert "http_proxy=http://proxy.example:3128\n" in env
    assert f"PWD={place.work_dir}\n" in env


def test_what_the_person_lets_through_reaches_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {
        "AWS_PROFILE": "work",
        "MY_A": "a",
        "MY_B": "b",
        "MY_API_KEY": "a-canary",
        "MY_URL": "https://me:canary@example.com",
        "MY_KEY_FILE": "/home/me/key",
        "OPENAI_API_KEY": "sk-canary",
        "ASTER_SIDECAR_TOKEN": "a-canary-token",
        "OTHER": "other",
        "GIT_PAGER": "delta",
        "HOMEBREW_EDITOR": "code",
        "EDITOR": "code --wait",
        "PATH": "relative:/bin",
    }
    plain = process_tree.clean_environment(environ)
    assert "AWS_PROFILE" not in plain

    def more(*names: str) -> dict[str, str]:
        monkeypatch.setattr(process_tree.CHOSEN, "names", lambda: names)
        env = process_tree.clean_environment(environ)
        return {name: value for name, value in env.items() if plain.get(name) != value}

    assert more() == {}
    assert more("AWS_PROFILE", "MISSING") == {"AWS_PROFILE": "work"}
    assert more("MY_*") == {"MY_A": "a", "MY_B": "b", "MY_KEY_FILE": "/home/me/key"}
    assert more("*_API_*", "ASTER_*", "PATH", "*TOKEN") == {}
    assert more("OPENAI_API_KEY", "MY_API_KEY") == {"OPENAI_API_KEY": "sk-canary", "MY_API_KEY": "a-canary"}
    # A pattern does not change variables that every command gets; a name does.
    assert more("*EDITOR", "GIT_*") == {"HOMEBREW_EDITOR": "code"}
    assert more("EDITOR", "GIT_PAGER") == {"EDITOR": "code --wait", "GIT_PAGER": "delta"}


def test_a_packaged_build_gives_the_library_path_back() -> None:
    environ = {
        "LD_LIBRARY_PATH": "/bundle:/usr/local/lib",
        "LD_LIBRARY_PATH_ORIG": "/usr/local/lib",
        "_PYI_ARCHIVE_FILE": "/bundle/aster-desktop",
        "PATH": "/bin",
    }
    frozen.restore(environ, home="/bundle")
    assert environ == {"LD_LIBRARY_PATH": "/usr/local/lib", "PATH": "/bin"}
    frozen.restore(environ, home="/bundle")
    assert "LD_LIBRARY_PATH" not in process_tree.clean_environment(environ)
    assert process_tree.clean_environment(environ, frozen=True)["LD_LIBRARY_PATH"] == "/usr/local/lib"
    environ = {"LD_LIBRARY_PATH": "/bundle"}
    frozen.restore(environ, home="/bundle")
    assert environ == {}
    assert process_tree.clean_environment({}, frozen=True)["PATH"]


@linux
def test_a_command_has_its_own_session_no_input_and_no_descriptor_of_ours(place: Surroundings) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        found = run(
            place, "cat; ls /proc/self/fd | wc -l; cut -d' ' -f6 /proc/$$/stat; echo $$; readlink /proc/self/fd/0"
        )
    finally:
        os.close(read)
        os.close(write)
    count, session, pid, stdin = found["stdout"].split()
    assert (count, session, stdin) == ("4", pid, "/dev/null")


@linux
def test_a_daemon_that_is_not_dumpable_can_run_commands(place: Surroundings) -> None:
    code = (
        "import ctypes, sys; from pathlib import Path\n"
        "from aster_sidecar.tools.base import Surroundings; from tests.tools.support import call\n"
        "assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0\n"
        "work = Path(sys.argv[1])\n"
        "print(call('run_command', Surroundings(work), command='pwd; sleep 1000 &').value)\n"
        "print(call('search_files', Surroundings(work), pattern='x').value)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    argv = [PYTHON, "-c", code, str(place.work_dir)]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=55)
    assert done.returncode == 0, done.stderr
    assert f"'stdout': '{place.work_dir}\\n'" in done.stdout
    assert "1 background process was ended" in done.stdout


# --- no person is there --------------------------------------------------------------------------------------------

WAITS = "#!/bin/sh\ntouch asked\nexec sleep 600\n"


@pytest.fixture
def repository(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """Two commits. A program that waits replaces every program with which git could ask a question."""
    waiting = place.work_dir / "waits"
    waiting.write_text(WAITS)
    waiting.chmod(0o755)
    for name in ("GIT_EDITOR", "EDITOR", "VISUAL", "GIT_SEQUENCE_EDITOR", "PAGER", "SSH_ASKPASS", "GIT_ASKPASS"):
        monkeypatch.setenv(name, str(waiting))
    monkeypatch.setenv("HOME", str(place.work_dir))
    set_up = ["git init -q .", "git config user.name Ada", "git config user.email ada@example.com"]
    keys = ("core.editor", "sequence.editor", "core.pager", "core.askPass")
    set_up += [f"git config {key} '{waiting}'" for key in keys]
    set_up += ["git commit -q --allow-empty -m first", "git commit -q --allow-empty -m second"]
    assert run(place, " && ".join(set_up))["exit_code"] == 0
    return place


@pytest.mark.skipif(shutil.which("git") is None, reason="runs git")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("git commit --allow-empty", 1, "Aborting commit due to empty commit message."),
        ("git commit --allow-empty --amend && git log -1 --format=%s", 0, "second"),
        ("git rebase -i HEAD~1 && git log -1 --format=%s", 0, "second"),
        ("git tag -a v1", 128, "no tag message?"),
        ("git config -e", 0, ""),
        ("git checkout -q -b side HEAD~1 && git commit -q --allow-empty -m x && git merge - && git log -1 --format=%s",
         0, "Merge branch"),
        ("git revert HEAD 2>&1; git log -1 --format=%s", 0, "second"),
        ("git log", 0, "first"),
    ],
)  # fmt: skip
def test_git_neither_opens_an_editor_nor_a_pager(repository: Surroundings, command: str, code: int, said: str) -> None:
    found = run(repository, command, timeout_s=60)
    assert (found["timed_out"], found["exit_code"]) == (False, code)
    assert said in found["stdout"] + found["stderr"]
    assert not (repository.work_dir / "asked").exists()


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.mark.skipif(shutil.which("git") is None, reason="runs git")
def test_git_says_that_it_cannot_ask_for_a_password(repository: Surroundings) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = run(repository, f"git ls-remote http://127.0.0.1:{server.server_port}/x", timeout_s=60)
        server.shutdown()
    assert (found["timed_out"], found["exit_code"]) == (False, 128)
    assert "terminal prompts disabled" in found["stderr"]
    assert not (repository.work_dir / "asked").exists()


@pytest.mark.skipif(os.name != "posix", reason="a terminal device")
@pytest.mark.parametrize(
    ("command", "stdout"),
    [
        ("read x </dev/tty; echo \"[$x]\"", "[]\n"),
        ("read x; echo \"[$x]\"", "[]\n"),
        ("$EDITOR file && $VISUAL file && echo kept | $PAGER", "kept\n"),
        ("echo asked >/dev/tty; echo $?", None),
    ],
)  # fmt: skip
def test_a_question_on_the_terminal_is_answered_by_nobody(
    place: Surroundings, command: str, stdout: str | None
) -> None:
    import pty

    # A terminal of this process, like that of a daemon that was started in one.
    main, terminal = pty.openpty()
    code = (
        "import fcntl, os, sys, termios; from pathlib import Path\n"
        "os.setsid(); fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0); open('/dev/tty').close()\n"
        "from aster_sidecar.tools.base import Surroundings; from tests.tools.support import call\n"
        "import json; print(json.dumps(call('run_command', Surroundings(Path(sys.argv[2])), command=sys.argv[3],"
        " timeout_s=60).value))\n"
    )
    try:
        done = subprocess.run(
            [PYTHON, "-c", code, str(terminal), str(place.work_dir), command],
            stdin=terminal,
            capture_output=True,
            text=True,
            pass_fds=[terminal],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            timeout=55,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert not found["timed_out"]
        assert stdout is None or found["stdout"] == stdout
        assert ("/dev/tty" in command) == ("/dev/tty" in found["stderr"])
        assert select.select([main], [], [], 0)[0] == []
    finally:
        os.close(main)
        os.close(terminal)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("vim") is None, reason="told by /proc, with vim")
@pytest.mark.parametrize("command", ["vim -u NONE file; echo over", "git difftool -y -x 'vimdiff -u NONE'"])
def test_an_editor_that_waits_for_keys_is_ended(repository: Surroundings, command: str) -> None:
    (repository.work_dir / "file").write_text("a\n")
    call("run_command", repository, command="git add file; echo more >>file")
    found = call("run_command", repository, command=command, timeout_s=600).value
    assert not found["timed_out"]
    assert "was ended: it waited for key presses, which a command never gets" in found["note"]
    assert ("over" in found["stdout"]) == ("over" in command)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("vim") is None, reason="told by /proc, with vim")
def test_an_editor_that_is_told_what_to_do_is_left_alone(repository: Surroundings) -> None:
    command = "vim -u NONE -es -c '%s/^/x/' -c 'sleep 3' -c wq file; cat file"
    (repository.work_dir / "file").write_text("a\n")
    found = call("run_command", repository, command=command, timeout_s=600).value
    assert (found["exit_code"], found["stdout"], found["note"]) == (0, "xa\n", "")


@pytest.mark.skipif(shutil.which("ssh") is None, reason="runs ssh")
def test_ssh_asks_nobody(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = place.work_dir / "waits"
    waiting.write_text(WAITS)
    waiting.chmod(0o755)
    monkeypatch.setenv("DISPLAY", ":99")
    key = "ssh-keygen -q -t ed25519 -N secret-words -f key"
    # ssh-keygen needs the passphrase of that key to print its public half.
    found = run(place, f"{key} && SSH_ASKPASS=$PWD/waits ssh-keygen -y -f key", timeout_s=60)
    assert not found["timed_out"]
    assert found["exit_code"] != 0
    assert not (place.work_dir / "asked").exists()


# --- output --------------------------------------------------------------------------------------------------------


def test_what_comes_back(place: Surroundings) -> None:
    began = time.monotonic()
    found = run(place, "echo out; echo err >&2; exit 3")
    duration_ms = found.pop("duration_ms")
    assert 0 <= duration_ms <= (time.monotonic() - began) * 1000 + 1
    assert found == {
        "exit_code": 3,
        "signal": None,
        "stdout": "out\n",
        "stderr": "err\n",
        "timed_out": False,
        "note": "",
    }
    killed = run(place, "kill -9 $$")
    assert (killed["exit_code"], killed["signal"]) == (None, "SIGKILL")
    assert run(place, "syntax error (")["exit_code"] == 2
    missing = run(place, "missing-program-x")
    assert missing["exit_code"] == 127
    assert "not found on PATH" in missing["note"]
    assert run(place, 'echo "a b"   \'$x\' \\" ; pwd')["stdout"] == f'a b $x "\n{place.work_dir}\n'


def test_a_command_longer_than_the_system_takes_is_refused(place: Surroundings) -> None:
    with pytest.raises(ToolError, match="could not be started"):
        run(place, "echo " + "é" * 90_000)


def test_characters_split_across_reads_are_whole(place: Surroundings) -> None:
    context = Listener(place)
    code = (
        "import os; os.write(1, b'x'); [os.write(1, '€'.encode() * 3000) for _ in range(6)]; os.write(1, b'\\xe2\\x82')"
    )
    outcome = asyncio.run(start("run_command", context, command=f'{PYTHON} -c "{code}"'))
    whole = "x" + "€" * 18_000 + "\ufffd"
    assert outcome.value["stdout"] == whole
    assert not outcome.truncated
    assert context.streamed("stdout") == whole


def test_a_character_that_comes_in_two_pieces_is_shown_whole(place: Surroundings) -> None:
    os.mkfifo(place.work_dir / "fifo")
    context = Listener(place)

    async def watch() -> Outcome:
        command = "printf 'a\\342\\202'; cat fifo; printf '\\254z'"
        task = asyncio.create_task(start("run_command", context, command=command))
        await until(lambda: context.streamed("stdout") == "a")
        (place.work_dir / "fifo").write_bytes(b"")
        return await task

    assert asyncio.run(watch()).value["stdout"] == context.streamed("stdout") == "a€z"


def test_long_output_keeps_its_beginning_and_end(place: Surroundings) -> None:
    outcome = call("run_command", place, command="echo begin; yes é | head -c 900001; echo; echo end; seq 100000 >&2")
    stdout = outcome.value["stdout"]
    assert outcome.truncated
    assert stdout.startswith("begin\né\n")
    assert stdout.endswith("end\n")
    assert "\ufffd" not in stdout.replace("\ufffd\nend\n", "")
    kept = len(stdout.encode()) - len(stdout.split("[... ")[1].split("...]")[0]) - 10
    assert abs(kept - 64 * 1024) < 16
    left_out = int(stdout.split("[... ")[1].split(" ")[0])
    assert left_out == 6 + 900001 + 5 - 64 * 1024
    assert outcome.value["stderr"].endswith("99999\n100000\n")


def test_a_model_gets_what_the_terminal_shows_at_the_end(place: Surroundings) -> None:
    context = Listener(place)
    command = (
        "i=0; while [ $i -lt 2000 ]; do printf '\\rDownloading %d/2000' $i; i=$((i+1)); done; printf '\\ndone\\n';"
        " printf '\\033[31mred\\033[0m\\r\\n' >&2"
    )
    outcome = asyncio.run(start("run_command", context, command=command))
    assert outcome.value["stdout"] == "Downloading 1999/2000\ndone\n"
    assert outcome.value["stderr"] == "red\r\n"
    assert not outcome.truncated
    # A watching client gets every byte.
    assert context.streamed("stdout") == "".join(f"\rDownloading {n}/2000" for n in range(2000)) + "\ndone\n"
    assert context.streamed("stderr") == "\x1b[31mred\x1b[0m\r\n"


def test_progress_does_not_push_out_what_was_said(place: Surroundings) -> None:
    frame = f"[f'\\r{{n}} {'=' * 100}' for n in range(10_000)]"
    code = f"print('begin' * 2000); print(*{frame}, sep='', end=''); print(); print('end' * 2000)"
    outcome = call("run_command", place, command=f'{PYTHON} -c "{code}"')
    assert outcome.value["stdout"] == f"{'begin' * 2000}\n9999 {'=' * 100}\n{'end' * 2000}\n"
    assert not outcome.truncated


def test_binary_output_is_said_and_a_nul_is_visible(place: Surroundings) -> None:
    found = run(place, f"printf 'a\\0b\\n' >&2; head -c 5000 {PYTHON}")
    assert found["stdout"] == "[binary output, 5000 bytes]\n"
    assert found["stderr"] == "a␀b\n"


def test_output_is_shown_while_it_runs(place: Surroundings) -> None:
    os.mkfifo(place.work_dir / "fifo")
    context = Listener(place)

    async def watch() -> Outcome:
        task = asyncio.create_task(start("run_command", context, command="echo first; cat fifo; echo last >&2"))
        await until(lambda: context.streamed("stdout") == "first\n")
        (place.work_dir / "fifo").write_text("second\n")
        return await task

    assert asyncio.run(watch()).value["stdout"] == "first\nsecond\n"
    assert context.streamed("stdout") == "first\nsecond\n"
    assert context.streamed("stderr") == "last\n"


def test_small_output_comes_in_few_pieces(place: Surroundings) -> None:
    context = Listener(place)
    outcome = asyncio.run(
        start("run_command", context, command="i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done")
    )
    assert context.streamed("stdout") == outcome.value["stdout"] == "".join(f"{n}\n" for n in range(3000))
    assert len(context.told) < 3 + len(outcome.value["stdout"]) / 4096 + outcome.value["duration_ms"] / 40


def counts(context: Listener) -> int:
    return sum("of output so far" in (one.message or "") for one in context.told)


def test_a_flood_costs_neither_memory_nor_the_loop(place: Surroundings) -> None:
    os.mkfifo(place.work_dir / "fifo")
    context = Listener(place)

    async def flood() -> tuple[Outcome, float]:
        # The CPU time of this thread, not real time: other work of the machine is not caused by the flood.
        ticks: list[float] = []

        async def tick() -> None:
            while True:
                ticks.append(time.thread_time())
                await asyncio.sleep(0.002)

        ticking = asyncio.create_task(tick())
        task = asyncio.create_task(start("run_command", context, command="yes | tee /dev/stderr & cat fifo"))
        await until(lambda: counts(context) >= 2)  # a second is between them, in which none of it is shown
        (place.work_dir / "fifo").write_bytes(b"")
        outcome = await task
        ticking.cancel()
        return outcome, max(after - before for before, after in pairwise(ticks))

    run(place, "true")
    before = psutil.Process().memory_info().rss
    outcome, longest_s = asyncio.run(flood())
    assert psutil.Process().memory_info().rss - before < 16 * 1024 * 1024
    assert longest_s < 0.2
    assert outcome.truncated
    assert "ended" in outcome.value["note"]
    streamed = len(context.streamed("stdout")) + len(context.streamed("stderr"))
    assert streamed < 256 * 1024 + 4 * 65536
    assert counts(context) < 2 + outcome.value["duration_ms"] / 1000


def test_a_flood_is_ended_at_its_time(place: Surroundings) -> None:
    found = run(place, "yes | tee /dev/stderr", timeout_s=0.5)
    assert found["timed_out"]
    assert found["note"].startswith("stopped after 0.5 s")
    assert 500 <= found["duration_ms"] < 30_000


def test_output_is_whole_though_the_loop_stood_still(place: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = shell_process._ended

    async def then_nothing(*arguments: Any) -> Any:
        found = await ended(*arguments)
        asyncio.get_running_loop().call_later(0.05, time.sleep, shell_process.DRAIN_S + 0.2)
        return found

    monkeypatch.setattr(shell_process, "_ended", then_nothing)
    monkeypatch.setattr(shell_process, "FLOOD_PAUSE_S", 0.2)  # so that some output is unread at the end
    outcome = call("run_command", place, command="yes | head -c 600000")
    stdout = outcome.value["stdout"]
    assert int(stdout.split("[... ")[1].split(" ")[0]) == 600_000 - 64 * 1024


# --- what another program would do ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("tmux new -d 'curl localhost'", "tmux"),
        ("cd x && /usr/bin/tmux ls", "tmux"),
        ("sudo -u me docker ps", "docker"),
        ("sh -c 'systemd-run --user true'", "systemd-run"),
        ("X=1 nohup setsid at now", "at"),
        ("echo $(docker ps)", "docker"),
        ("FOO=$(tmux ls)", "tmux"),
        ("if true; then (screen -dm x); fi", "screen"),
        ("echo job | batch", "batch"),
        ("'tmux' new", "tmux"),
        ("t''mux new", "tmux"),
        ("tm\\ux new", "tmux"),
        ("setarch x86_64 tmux new", "tmux"),
        ("find . -exec tmux new {} ;", "tmux"),
        ("dbus-send --session /x", "dbus-send"),
        ("ssh localhost id", "ssh"),
    ],
)
def test_what_another_program_would_run_is_asked_in_every_mode(place: Surroundings, command: str, name: str) -> None:
    found = assess("run_command", place, command=command)
    assert found.always_asked
    assert found.remember is None
    assert f"`{name}` starts programs that Aster can't stop or control." in found.reason
    rule = permissions.Rule("r1", "allow", "run_command", "any", "")
    for mode in permissions.STRICTNESS:
        decision = permissions.decide(
            mode,
            [rule],
            tool="run_command",
            assessment=found,
            agent_id="a",
            session_id="s",
            now=datetime.now(UTC),
        )
        assert (decision.verdict, decision.decided_by) == ("ask", "call")


@pytest.mark.parametrize(
    "command",
    [
        "echo tmux",
        "git commit -m 'look at this'",
        "grep -rn at .",
        "python at.py",
        "npm run docker",
        "ls",
        "find . -name at",
    ],
)
def test_the_mere_word_is_no_such_program(place: Surroundings, command: str) -> None:
    assert not assess("run_command", place, command=command).always_asked


# --- the end -------------------------------------------------------------------------------------------------------

DAEMON = (
    "import os, sys, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "{closing}\n"
    "open('up', 'w').close()\n"
    "time.sleep({token})\n"
)
WAIT_UP = "while [ ! -e up ]; do :; done"


def daemon_script(folder: Path, token: str, closing: str = "pass") -> str:
    (folder / f"daemon{token}.py").write_text(DAEMON.format(token=token, closing=closing))
    return f"{PYTHON} daemon{token}.py"


@pytest.mark.parametrize(
    "command",
    [
        "sleep {token} & echo hi",
        "(sleep {token} &) ; (sleep {token} & sleep {token}) & echo hi",
        "nohup sleep {token} >/dev/null 2>&1 & echo hi",
        "setsid sleep {token} & echo hi",
        pytest.param("setsid env -i sleep {token} >/dev/null 2>&1 & echo hi", marks=linux),
        pytest.param("(env -i setsid sh -c 'sleep {token} & sleep {token} & wait' &) ; echo hi", marks=linux),
        "{daemon}; {wait}; echo hi",
        pytest.param("env -i {daemon} >/dev/null 2>&1; {wait}; echo hi", marks=linux),
        "sleep {token} & kill -STOP $!; echo hi",
    ],
)
def test_nothing_of_a_command_outlives_it(place: Surroundings, token: str, command: str) -> None:
    daemon = daemon_script(place.work_dir, token)
    began = time.monotonic()
    found = run(place, command.format(token=token, daemon=daemon, wait=WAIT_UP))
    assert found["stdout"].endswith("hi\n")
    assert found["exit_code"] == 0
    assert "ended" in found["note"]
    assert alive(token) == []
    assert time.monotonic() - began < 30
    assert left() == []


@linux
def test_a_process_that_hides_itself_is_ended_too(place: Surroundings, token: str) -> None:
    hide = "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); [os.close(n) for n in (0, 1, 2)]"
    daemon = daemon_script(place.work_dir, token, hide)
    found = run(place, f"env -i {daemon}; {WAIT_UP}; echo hi")
    assert found["note"] == "1 background process was ended"
    assert alive(token) == []


def test_a_background_process_that_ignores_term_is_killed(place: Surroundings, token: str) -> None:
    ignoring = daemon_script(place.work_dir, token, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    found = run(place, f"{ignoring}; {WAIT_UP}; echo hi")
    assert found["stdout"] == "hi\n"
    assert found["note"] == "1 background process was ended"
    assert alive(token) == []
    assert 2000 <= found["duration_ms"] < 30_000


def test_a_command_is_ended_at_its_time_with_all_it_started(
    place: Surroundings, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell_process, "TERM_S", 30)  # otherwise a stall would turn it into a KILL
    command = f"(sleep {token} & sleep {token}) & trap 'exit 7' TERM; echo begun; sleep {token}"
    found = run_from_then_on(monkeypatch, place, command, "begun\n", timeout_s=0.3)
    assert found["timed_out"]
    assert found["stdout"] == "begun\n"
    assert found["note"].startswith("stopped after 0.3 s")
    assert found["exit_code"] == 7
    assert alive(token) == []
    monkeypatch.undo()
    monkeypatch.setattr(shell_process, "TERM_S", 30)
    assert run(place, "sleep 1000", timeout_s=0.1)["signal"] == "SIGTERM"


def test_a_shell_that_ignores_term_is_killed(place: Surroundings, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"trap '' TERM; echo deaf; sleep {token}; sleep {token}"
    found = run_from_then_on(monkeypatch, place, command, "deaf\n", timeout_s=0.1)
    assert (found["timed_out"], found["signal"], found["exit_code"]) == (True, "SIGKILL", None)
    assert alive(token) == []


def test_cancelling_ends_the_whole_tree_before_it_is_through(place: Surroundings, token: str) -> None:
    daemon = daemon_script(place.work_dir, token)
    command = f"{daemon}; sleep {token} & {WAIT_UP}; echo up; sleep {token}"

    async def cancelled() -> None:
        context = Listener(place)
        task = asyncio.create_task(start("run_command", context, command=command))
        await until(lambda: context.streamed("stdout") == "up\n")
        assert alive(token)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert alive(token) == []
        assert left() == []

    asyncio.run(cancelled())


def test_cancelling_at_any_moment_leaves_nothing(place: Surroundings, token: str) -> None:
    async def cancelled(turns: int) -> None:
        task = asyncio.create_task(start("run_command", Listener(place), command=f"sleep {token} & sleep {token}"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        if turns % 2:
            await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert alive(token) == []
        assert left() == []

    for turns in (0, 1, 2, 3, 4, 5, 8, 20, 60, 200):
        asyncio.run(cancelled(turns))


def test_when_nobody_can_be_told_the_command_is_ended(place: Surroundings, token: str) -> None:
    @dataclass
    class Deaf(Listener):
        async def progress(
            self,
            message: str | None = None,
            *,
            progress: float | None = None,
            stream: Literal["stdout", "stderr"] | None = None,
            delta: str | None = None,
        ) -> None:
            raise OSError("the journal is full")

    with pytest.raises(OSError, match="the journal is full"):
        asyncio.run(start("run_command", Deaf(place), command=f"echo x; sleep {token}"))
    assert alive(token) == []


def test_the_mark_in_the_environment_is_enough(token: str) -> None:
    mine, other = f"{os.getpid()}:{token}", f"{os.getpid()}:{token}0"
    earlier = process_tree.process(os.getpid())
    assert earlier is not None
    brand = process_tree.Brand(mine, shell=process_tree.Process(2**22 + 1, 0, 0, 0, earlier.started))
    left, spared = (
        subprocess.Popen(["sleep", token], env={process_tree.MARKER: marker}, start_new_session=True)
        for marker in (mine, other)
    )
    try:
        # A process exists a moment before its environment can be read.
        asyncio.run(until(lambda: {left.pid, spared.pid} <= process_tree.live_tool_pids()))
        assert process_tree.end(brand) == (1, [])
        assert alive(token) == [spared.pid]
    finally:
        for process in (left, spared):
            process.kill()
            process.wait()


def test_one_that_a_look_missed_is_ended_all_the_same(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, remaining = list[int](), process_tree.remaining

    def missed_at_first(brand: process_tree.Brand) -> list[process_tree.Process]:
        looks.append(len(looks))
        return remaining(brand) if len(looks) > 1 else []

    own = process_tree.process(os.getpid())
    assert own is not None
    mark = f"{os.getpid()}:{token}"
    brand = process_tree.Brand(mark, shell=process_tree.Process(2**22 + 1, 0, 0, 0, own.started))
    left = subprocess.Popen(["sleep", token], env={process_tree.MARKER: mark}, start_new_session=True)
    try:
        asyncio.run(until(lambda: bool(remaining(brand))))
        monkeypatch.setattr(process_tree, "remaining", missed_at_first)
        assert process_tree.end(brand) == (1, [])
        assert alive(token) == []
    finally:
        left.kill()
        left.wait()


def test_the_end_of_one_call_leaves_others_alone(place: Surroundings, token: str) -> None:
    async def two() -> None:
        long = Listener(place, call_id="call_long")
        task = asyncio.create_task(start("run_command", long, command=f"sleep {token} & echo up; wait"))
        await until(lambda: long.streamed("stdout") == "up\n")
        await start("run_command", Listener(place, call_id="call_short"), command="sleep 1000 & true")
        await until(lambda: len(alive(token)) == 2)  # a process during exec has no command line for a moment
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(two())
    assert alive(token) == []


def test_a_command_ends_when_every_shared_thread_is_busy(place: Surroundings, token: str) -> None:
    async def busy() -> Outcome:
        free = threading.Event()
        in_the_end = threading.Timer(40, free.set)
        in_the_end.start()
        waiting = [asyncio.create_task(asyncio.to_thread(free.wait)) for _ in range(40)]
        try:
            outcome = await start("run_command", Listener(place), command=f"sleep {token} & echo x")
            assert not free.is_set()
            return outcome
        finally:
            free.set()
            in_the_end.cancel()
            await asyncio.gather(*waiting)

    assert asyncio.run(busy()).value["stdout"] == "x\n"
    assert alive(token) == []


def test_many_commands_leave_no_descriptor_and_no_process(place: Surroundings) -> None:
    async def many() -> None:
        calls = (start("run_command", Listener(place, call_id=f"c{n}"), command="echo x & echo y") for n in range(10))
        await asyncio.gather(*calls)

    asyncio.run(many())
    before = psutil.Process().num_fds()
    asyncio.run(many())
    assert psutil.Process().num_fds() <= before
    assert left() == []


# --- how processes are seen -------------------------------------------------------------------------------------------


@linux
def test_the_portable_view_of_processes_agrees_with_proc() -> None:
    here = os.getpid()
    ours, elsewhere = process_tree._process_of_linux(here), process_tree._process_elsewhere(here)
    assert ours is not None
    assert elsewhere is not None
    assert (ours.parent, ours.group, ours.session) == (elsewhere.parent, elsewhere.group, elsewhere.session)
    assert process_tree._process_elsewhere(2**22 + 1) is None
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process_tree._process_of_linux(child.pid) is process_tree._process_elsewhere(child.pid) is None
