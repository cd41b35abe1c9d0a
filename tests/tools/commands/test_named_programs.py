"""A rule that denies a program holds for each spelling of it, whatever else is allowed; what can't be seen asks."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.policy.permissions import STRICTNESS, Decision, Mode, Rule, ToolCall, decide
from aster_sidecar.tools.base import RuleTarget, Surroundings, ToolError
from aster_sidecar.tools.commands.named_programs import canonical
from aster_sidecar.tools.shell import rule_value
from tests.tools.commands.cases import Case, build, place
from tests.tools.support import assess

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs lines there, and every line asks")

PUSH = [
    # as it is
    "git push",
    "git push origin main --force",
    "git  push",
    "\tgit push # to the server",
    "git push;",
    "git push &",
    "ls; git push",
    "ls && git push",
    "false || git push",
    "echo y | git push",
    "! git push",
    "(git push)",
    "{ git push; }",
    "if true; then git push; fi",
    "ls\ngit push",
    "git push > out.txt 2>&1",
    "> out.txt git push",
    "X=1 git push",
    "cd src && git push",
    # quoting and expansion
    "'git' push",
    '"git" "push"',
    "g\\it push",
    "g''it p\"u\"sh",
    "git pus\\h",
    "git \\\npush",
    "$'git' push",
    "git $'push'",
    "git pu$@sh",
    "git ${X:-push}",
    "${X:-git} push",
    "X=push; git $X",
    "X=git; $X push",
    'X="git push"; $X',
    "git $(echo push)",
    "$(echo git) push",
    "`echo git` push",
    "git `printf push`",
    "git pus?",
    "git [p]ush",
    "/usr/bin/gi? push",
    "/usr/bin/g*t push",
    "{git,push}",
    "git {push,}",
    "echo $(git push)",
    'echo "$(git push)"',
    "echo `git push`",
    "echo ${X:-$(git push)}",
    "cat <(git push)",
    "cat <<E\n$(git push)\nE",
    "sh <<E\ngit push\nE",
    "sh <<< 'git push'",
    "[ -v 'a[$(git push)]' ]",
    "test -v 'a[$(git push)]'",
    "printf %d 'a[$(git push)]'",
    "sleep 1 & wait -np 'a[$(git push)]'",
    "echo $((a[$(git push)]))",
    # git's own ways
    "/usr/bin/git push",
    "/usr/lib/git-core/git push",
    "/usr/lib/git-core/git-push origin",
    "$(git --exec-path)/git-push",
    "git -C src push",
    "git -Csrc push",
    "git --no-pager push",
    "git --git-dir=.git --work-tree . push",
    "git -c push.default=current push",
    "git -c alias.p=push p",
    "git config alias.p push; git p",
    "git config --global alias.p '!git push' && git p",
    "git p",
    "git -c core.fsmonitor='git push' status",
    "git -c core.sshCommand='git push' fetch",
    "git --config-env=alias.p=X p",
    "git --exec-path=. status",
    "git subtree push --prefix x origin main",
    "git send-pack origin",
    "git submodule foreach 'git push'",
    "git submodule foreach git push",
    "git bisect run git push",
    "git rebase -x 'git push' main",
    "git rebase --exec='git push' main",
    "git rebase -ix 'git push' main",
    "git grep -O'git push' x",
    "git grep --open-files-in-pager='git push' x",
    "git difftool -yx 'git push'",
    "git fetch --upload-pack='git push' .",
    "git ls-remote --upl='git push' .",
    "git clone -u 'git push' . x",
    "git clone -c core.fsmonitor='git push' . x",
    "git archive --remote=. --exec='git push' HEAD",
    "git fetch 'ext::git push'",
    "GIT_PAGER='git push' git log",
    "PAGER='git push' git log",
    "GIT_SSH_COMMAND='git push' git fetch",
    "GIT_EDITOR='git push' git commit",
    "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=alias.p GIT_CONFIG_VALUE_0=push git p",
    # programs that run others
    "command git push",
    "builtin command git push",
    "exec git push",
    "eval git push",
    "eval 'git push'",
    'eval "$X"',
    "env git push",
    "env -i X=1 git push",
    "env -S 'git push'",
    "env -C src git push",
    "sudo -u me git push",
    "nohup git push",
    "setsid git push",
    "nice -n 5 git push",
    "timeout 5 git push",
    "time git push",
    "stdbuf -o0 git push",
    "busybox env git push",
    "xargs git push < /dev/null",
    "echo push | xargs git",
    "echo 'git push' | sh",
    "echo git push | xargs -I{} sh -c '{}'",
    "printf 'git push' | bash -s",
    "find . -exec git push \\;",
    "find . -maxdepth 0 -exec sh -c 'git push' \\;",
    "find . -execdir git push {} +",
    "sh -c 'git push'",
    "bash -lc 'cd src; git push'",
    "sh -c \"sh -c 'git push'\"",
    "sh x.sh",
    ". ./x.sh",
    "source x.sh",
    "./x.sh",
    "trap 'git push' EXIT",
    "watch -n 1 git push",
    "parallel git ::: push",
    "python -c 'import os; os.system(\"git push\")'",
    "perl -e 'exec qw(git push)'",
    'node -e \'require("child_process").execSync("git push")\'',
    "awk 'BEGIN { system(\"git push\") }'",
    "sed '1e git push' a.txt",
    "sed -n 's/.*/git push/ep' a.txt",
    "sort --compress-program=./x a.txt",
    "rg --pre ./x y",
    "tar -cf x --checkpoint=1 --checkpoint-action=exec='git push' a.txt",
    "tar -xf x --to-command='git push'",
    "make SHELL=./x",
    "make --eval='x:;git push' x",
    "go test -exec 'git push' ./...",
    "hyperfine 'git push'",
    "nodemon --exec 'git push'",
    "poetry run git push",
    "uv run git push",
    "npx -c 'git push'",
    "npm exec -c 'git push'",
    "npm run env -- git push",
    "cmake -E env git push",
    "ld.so /usr/bin/git push",
    "watchexec git push",
    "some-new-program git push",
    "some-new-program --run='git push'",
    # other names for programs
    "alias g='git push'\ng",
    "g() { git push; }; g",
    "function g { git push; }\ng",
    "ln -s /usr/bin/git g; ./g push",
    "cp /usr/bin/git BASE/outside/ls; BASE/outside/ls push",
    "PATH=. ls push",
    "hash -p /usr/bin/git ls; ls push",
    "for x in push; do git $x; done",
    "while git push; do :; done",
    "case a in a) git push;; esac",
    "coproc git push",
    "GIT PUSH; Git push",
]

OTHERS = [
    *(
        "ls -la",
        "cat a.txt | grep one",
        "cd src && ls",
        "echo git push",
        "printf '%s\\n' 'git push'",
        "grep -rn push .",
    ),
    *("git status", "git log --oneline -5", "git diff HEAD~1", "git add -A && git commit -m 'push it'", "git pull"),
    *(
        "git checkout other",
        "git merge other",
        "git rebase main",
        "git fetch --all",
        "git clone https://example.com/x y",
    ),
    *("rm -rf build", "mkdir -p a && touch a/b", "cp -r a b", "chmod +x a", "curl -s https://example.com", "sleep 1"),
    *("npm test", "npm run build", "cargo test", "go test ./...", "make -j2 test", "pytest -q", "CI=1 npm test"),
    *("[ -f a.txt ] && echo yes", "test -d src", "npm test 2>&1 | tail -5", "ruff check --config x .", "kill 1"),
]
"""Lines that a rule against `git push` does not concern."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("named").resolve()
    build(base)
    for name in ("cargo", "go", "pytest"):
        (base / "bin" / name).write_text("a program\n")
        (base / "bin" / name).chmod(0o755)
    for name in ("x.sh", "x"):
        (base / "work" / name).write_text("git push\n")
        (base / "work" / name).chmod(0o755)
    return base


@pytest.fixture
def surroundings(base: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    monkeypatch.setenv("HOME", str(base / "home"))
    monkeypatch.setenv("PATH", str(base / "bin"))
    return place(base, Case("x", "asks", ""))


def _decided(
    command: str, surroundings: Surroundings, value: str, mode: Mode = "auto_approve", **arguments: Any
) -> Decision:
    """What is decided with a rule that denies `value`, and rules that allow as much as rules can."""
    found = assess("run_command", surroundings, command=command, **arguments)
    rules = [
        Rule("all", "allow", "run_command", "any", ""),
        Rule("exactly", "allow", "run_command", "exact", found.target),
        *(Rule(f"need {number}", "allow", "run_command", "program", one) for number, one in enumerate(found.needs)),
        Rule("denied", "deny", "run_command", "program", value),
    ]
    call = ToolCall("run_command", "a", "s", datetime.now(UTC), {"command": command, **arguments})
    decisions = [decide(mode, order, call, found) for order in (rules, rules[::-1])]
    assert decisions[0].verdict == decisions[1].verdict
    return decisions[0]


@pytest.mark.parametrize("line", PUSH, ids=ascii)
def test_no_spelling_of_a_denied_program_is_allowed(line: str, base: Path, surroundings: Surroundings) -> None:
    command = line.replace("BASE", str(base))
    for mode in STRICTNESS:
        assert _decided(command, surroundings, "git push", mode).verdict in ("deny", "ask")
    assert _decided(command, surroundings, f"in {surroundings.work_dir}:\ngit push").verdict in ("deny", "ask")


@pytest.mark.parametrize("line", PUSH[:19], ids=ascii)
def test_a_plain_spelling_is_denied(line: str, surroundings: Surroundings) -> None:
    assert _decided(line, surroundings, "git push").verdict == "deny"


@pytest.mark.parametrize("line", OTHERS)
def test_other_commands_are_not_concerned(line: str, surroundings: Surroundings) -> None:
    assert _decided(line, surroundings, "git push").verdict == "allow"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("npm install", "npm i lodash"),
        ("npm install", "npm add lodash"),
        ("npm install", "npm insta"),
        ("npm install", "npm --silent install"),
        ("npm publish", "npm publ"),
        ("npm test", "npm t"),
        ("npm run", "npm run-script x"),
        ("npm exec", "npm x y"),
        ("npm run test", "npm test"),
        ("npm run test", "npm t"),
        ("yarn run build", "yarn build"),
        ("yarn build", "yarn run build"),
        ("cargo test", "cargo t"),
        ("cargo test", "cargo +nightly test"),
        ("make", "make -j4 test"),
        ("make test", "make -j4 test"),
        ("pip install", "pip -v install x"),
        ("rm", "ls && /bin/rm -r x"),
        ("rm", "RM x"),
        ("cat", "cat a.txt"),
        ("ls", "ls"),
        ("docker compose", "docker-compose up"),
        ("npm test", "cd src && npm test"),
        ("git push\nnpm publish", "npm publish"),
        ("/usr/bin/git push", "git push"),
    ],
)
def test_other_words_for_a_subcommand_are_denied(value: str, line: str, surroundings: Surroundings) -> None:
    assert _decided(line, surroundings, value).verdict == "deny"


@pytest.mark.parametrize(
    ("line", "arguments", "verdicts"),
    [
        ("git push", {"cwd": "src"}, ("deny",)),
        ("git push", {"cwd": "src/deep"}, ("deny",)),
        ("git push", {}, ("allow",)),
        ("git push", {"cwd": "docs"}, ("allow",)),
        ("cd src && git push", {}, ("deny",)),
        ("cd docs && git push", {}, ("deny",)),  # it is not followed where it leads
        ("chdir src && git push", {}, ("deny", "ask")),
        ("command cd src; git push", {}, ("deny", "ask")),
        ("git -C src push", {}, ("deny",)),
        ("git -Csrc push", {}, ("deny",)),
        ("git --git-dir src/.git push", {}, ("deny",)),
        ("env -C src git push", {}, ("deny",)),
        ("GIT_DIR=src/.git git push", {}, ("deny", "ask")),
        ("pushd src; git push", {}, ("deny", "ask")),
    ],
)
def test_a_rule_for_a_folder_holds_where_the_program_may_run(
    line: str, arguments: dict[str, Any], verdicts: tuple[str, ...], base: Path, surroundings: Surroundings
) -> None:
    value = f"in {base / 'work' / 'src'}:\ngit push"
    assert _decided(line, surroundings, value, **arguments).verdict in verdicts


@pytest.mark.parametrize(
    "line", ["npm test -w src", "npm test --workspace=src", "npm --prefix src test", "npm test --workspaces"]
)
def test_options_lead_to_a_folder_too(line: str, base: Path, surroundings: Surroundings) -> None:
    assert _decided(line, surroundings, f"in {base / 'work' / 'src'}:\nnpm test").verdict == "deny"
    assert _decided("npm test", surroundings, f"in {base / 'work' / 'src'}:\nnpm test").verdict == "allow"


def test_a_rule_is_kept_with_the_usual_word(base: Path, surroundings: Surroundings) -> None:
    assert canonical("npm i") == "npm install"
    assert canonical("npm run-script x") == "npm run x"
    assert canonical("git push") == "git push"
    assert canonical("make") == "make"
    assert rule_value(RuleTarget("deny", "program", "npm  i\ncargo t"), surroundings) == "npm install\ncargo test"
    placed = f"in {base / 'work'}:\nnpm i"
    assert rule_value(RuleTarget("allow", "program", placed), surroundings) == placed + "nstall"
    for name in ("env npm test", "sudo x", "cat", "docker build", "find"):
        with pytest.raises(ToolError, match="can't be allowed by its name"):
            rule_value(RuleTarget("allow", "program", f"in {base / 'work'}:\n{name}"), surroundings)
    with pytest.raises(ToolError, match="with and without network"):
        rule_value(RuleTarget("deny", "program", "npm ci (with network)"), surroundings)


def test_there_are_enough_spellings() -> None:
    assert len(set(PUSH)) == len(PUSH) >= 100
    assert not set(PUSH) & set(OTHERS)
