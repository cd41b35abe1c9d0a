"""Files that need care, going by their names and places: those that hold secrets, and those that other programs run."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Compared with folded names (see _folded): case, full-width letters and zero-width characters make no difference.
_SECRET_NAMES = frozenset(("login data", "web data")) | _words(
    ".netrc _netrc .git-credentials .npmrc .yarnrc.yml .pypirc .pgpass .my.cnf .mylogin.cnf .vault-token .htpasswd"
    " .dockercfg .s3cfg .boto .history auth.json credentials credentials.json credentials.toml secrets.json"
    " secrets.toml secrets.yaml secrets.yml client_secret.json service-account.json service_account.json"
    " consolehost_history.txt fish_history wallet.dat cookies cookies.sqlite logins.json key3.db key4.db"
)
_SECRET_STARTS = (".env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_xmss")
_SECRET_ENDS = (
    *(".pem", ".key", ".p12", ".pfx", ".p8", ".jks", ".keystore", ".kdbx", ".ppk", ".agekey", ".tfstate"),
    *(".keychain", ".keychain-db", "_history", ".keytab", ".mobileprovision", ".ovpn", ".env"),
)
# Each may be anywhere in the folded path, which begins and ends with a slash.
_SECRET_PLACES = (
    *("/.ssh/", "/.gnupg/", "/.aws/", "/.azure/", "/.kube/", "/.docker/config.json/", "/.password-store/"),
    *("/.config/gcloud/", "/.config/gh/", "/.config/hub/", "/.config/op/", "/.config/sops/", "/.config/doctl/"),
    *("/.config/git/credentials/", "/.config/containers/auth.json/", "/.cargo/credentials/", "/.gem/credentials/"),
    *("/.git/config/", "/.terraform.d/", "/.claude/.credentials.json/", "/.local/share/keyrings/", "/keychains/"),
    *("/.local/share/kwalletd/", "/.mozilla/", "/.thunderbird/", "/.config/google-chrome/", "/.config/chromium/"),
    *("/.config/bravesoftware/", "/.config/microsoft-edge/", "/.config/vivaldi/", "/.config/opera/", "/snap/firefox/"),
    *("/google/chrome/", "/mozilla/firefox/", "/application support/firefox/", "/bravesoftware/", "/microsoft edge/"),
    *("/microsoft/edge/", "/library/cookies/", "/microsoft/credentials/", "/microsoft/protect/", "/1password/"),
    *("/etc/shadow/", "/etc/shadow-/", "/etc/gshadow/", "/etc/gshadow-/", "/etc/master.passwd/", "/etc/sudoers/"),
    *("/etc/sudoers.d/", "/etc/ssl/private/", "/etc/krb5.keytab/", "/windows/system32/config/"),
)
_ENDS_OF_PLACES = frozenset(place.rstrip("/").rsplit("/", 1)[-1] for place in _SECRET_PLACES)
_LATER_NAMES = frozenset(
    [
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".bash_aliases",
        ".profile",
        ".login",
        ".logout",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".zlogin",
        ".zlogout",
        ".cshrc",
        ".tcshrc",
        ".kshrc",
        ".mkshrc",
        ".xprofile",
        ".xinitrc",
        ".xsession",
        ".xsessionrc",
        ".pam_environment",
        ".inputrc",
        ".gitconfig",
        ".gitmodules",
        ".vimrc",
        ".gvimrc",
        ".exrc",
        ".emacs",
        ".gdbinit",
        ".lldbinit",
        ".tmux.conf",
        ".screenrc",
        ".mailcap",
        ".yarnrc",
        ".pnpmfile.cjs",
        ".pre-commit-config.yaml",
        ".mcp.json",
        "authorized_keys",
        "authorized_keys2",
        "crontab",
        "sitecustomize.py",
        "usercustomize.py",
        # what interpreters and tools run or read when they start
        *_words(
            ".pythonrc .pythonrc.py .pystartup .pdbrc .pylintrc .pydistutils.cfg .rprofile .renviron .irbrc .pryrc"
            " .gemrc .perldb .ghci .psqlrc .sqliterc .ocamlinit .sbclrc .clisprc .iex.exs .erlang .octaverc .curlrc"
            " .wgetrc .lessfilter .lesskey .condarc .bazelrc .sbtopts .watchmanconfig .nvim.lua .nvimrc .ideavimrc"
            " .dir-locals.el .envrc mise.toml .mise.toml .tool-versions bunfig.toml pip.conf pip.ini .hgrc"
            " .lintstagedrc lefthook.yml lefthook.yaml .lefthook.yml .overcommit.yml .huskyrc init.gradle mimeapps.list"
        ),
        # what servers run after a push
        *_words(
            ".gitlab-ci.yml .gitlab-ci.yaml .travis.yml jenkinsfile azure-pipelines.yml .drone.yml .cirrus.yml"
            " bitbucket-pipelines.yml appveyor.yml .appveyor.yml cloudbuild.yaml .woodpecker.yml"
        ),
        # what other agents read as instructions
        *_words(
            "agent.md agents.md agents.override.md claude.md claude.local.md gemini.md qwen.md crush.md warp.md"
            " copilot-instructions.md .cursorrules .windsurfrules .clinerules .goosehints .aider.conf.yml opencode.json"
            " crush.json mcp.json"
        ),
        # what makes a directory a git repository, with a configuration that git reads
        "head",
        # what makes a directory a Python environment, with packages that its programs load
        "pyvenv.cfg",
        "profile.ps1",
        "microsoft.powershell_profile.ps1",
    ]
)
_LATER_ENDS = (".pth", ".desktop", ".code-workspace")
_LATER_PLACES = (
    *(
        "/.hg/",
        "/.jj/",
        "/.svn/",
        "/.bzr/",
        "/.cargo/",
        "/.mvn/",
        "/.gradle/",
        "/gradle/wrapper/",
        "/.bundle/",
        "/.m2/",
    ),
    *("/.github/", "/.gitea/", "/.forgejo/", "/.circleci/", "/.buildkite/", "/.woodpecker/", "/.drone/", "/.lefthook/"),
    *("/.codex/", "/.gemini/", "/.goose/", "/.opencode/", "/.windsurf/", "/.continue/", "/.roo/", "/.clinerules/"),
    *("/.kiro/", "/.amazonq/", "/.junie/", "/.agents/", "/.augment/", "/.zed/", "/.fleet/", "/.ipython/", "/.jupyter/"),
    *("/.venv/bin/", "/venv/bin/", "/node_modules/.bin/", "/.docker/cli-plugins/", "/.local/share/applications/"),
    *("/.local/share/dbus-1/", "/.config/pip/", "/.config/mise/", "/.config/direnv/", "/.config/jj/", "/.config/hg/"),
    *("/.config/julia/", "/.julia/config/", "/.config/zed/", "/.config/goose/", "/.config/opencode/", "/.pyenv/"),
    *(
        "/.rbenv/",
        "/.nvm/",
        "/.deno/bin/",
        "/.bun/bin/",
        "/go/bin/",
        "/.rustup/",
        "/.asdf/",
        "/.config/containers/",
        "/.m2/",
    ),
    *("/.git/", "/.husky/", "/.githooks/", "/.github/workflows/", "/.vscode/", "/.idea/", "/.devcontainer/"),
    *("/.cursor/", "/.claude/", "/.aster/", "/.config/autostart/", "/.config/systemd/", "/.config/environment.d/"),
    *("/.config/fish/", "/.config/nvim/", "/.config/git/", "/.config/powershell/", "/.local/bin/", "/.oh-my-zsh/"),
    *("/.local/share/systemd/", "/.emacs.d/", "/.vim/", "/launchagents/", "/launchdaemons/", "/start menu/programs/"),
    *("/etc/cron.", "/etc/cron", "/var/spool/cron/", "/etc/profile", "/etc/init", "/etc/systemd/", "/etc/ld.so."),
    *("/etc/bash", "/etc/zsh", "/etc/rc", "/etc/pam.d/", "/etc/udev/", "/etc/xdg/autostart/", "/etc/sudoers"),
)
_UNSEEN_NAMES = _words(
    ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .login .logout .zshrc .zshenv .zprofile"
    " .zlogin .zlogout .cshrc .tcshrc .kshrc .mkshrc .xprofile .xinitrc .xsession .xsessionrc .pam_environment .envrc"
    " profile.ps1 microsoft.powershell_profile.ps1 authorized_keys authorized_keys2 crontab sitecustomize.py"
    " usercustomize.py .gitlab-ci.yml .gitlab-ci.yaml .travis.yml jenkinsfile azure-pipelines.yml .drone.yml"
    " .cirrus.yml bitbucket-pipelines.yml appveyor.yml .appveyor.yml cloudbuild.yaml .woodpecker.yml"
)
_UNSEEN_PLACES = _words(
    "/.git/ /.husky/ /.githooks/ /.github/workflows/ /.github/actions/ /.gitea/ /.forgejo/ /.circleci/ /.buildkite/"
    " /.woodpecker/ /.drone/ /.vscode/ /.idea/ /.devcontainer/ /.aster/ /.config/autostart/ /.config/systemd/"
    " /.local/share/systemd/ /.config/environment.d/ /.config/fish/ /.config/powershell/ /.oh-my-zsh/ /.local/bin/"
    " /launchagents/ /launchdaemons/ /etc/ /var/spool/cron/"
)
# Installed code, which runs without a person having read it.
_INSTALLED = ("/node_modules/", "/site-packages/", "/dist-packages/", "/_darcs/")
# Outside the work directory: where systems and programs keep programs and settings. Each begins the folded path.
_SYSTEMS = (
    *("/etc/", "/usr/", "/bin/", "/sbin/", "/lib", "/boot/", "/var/spool/", "/private/etc/", "/system/"),
    *("/applications/", "/windows/", "/program files", "/programdata/"),
)
_PROGRAMS_OWN = ("/library/", "/appdata/")
# Hidden files that only list what to ignore, how to format text, or which version to use. Other hidden files and
# directories are settings of some program, and most of them can name a program to run.
_INERT = _words(
    ".gitignore .gitkeep .keep .gitattributes .mailmap .dockerignore .npmignore .eslintignore .prettierignore"
    " .stylelintignore .helmignore .ignore .rgignore .editorconfig .browserslistrc .nvmrc .node-version .python-version"
    " .ruby-version .java-version .nojekyll .well-known"
)
_OF_ENVIRONMENT = _words("bin lib lib64 scripts include")
_OF_REPOSITORY = _words("hooks objects refs info worktrees modules")
_FILES_OF_REPOSITORY = _words("config config.worktree packed-refs commondir")


def is_beneath(path: Path, base: Path) -> bool:
    """Whether `path` is `base`, or is in it."""
    return path == base or base in path.parents


def holds_secrets(path: Path) -> bool:
    """Whether the file `path`, going by its name and place, may hold passwords, keys, cookies or a command history."""
    return _is_secret_name(_folded(path.name)) or in_secret_place(path)


def _is_secret_name(name: str) -> bool:
    if name in _SECRET_NAMES or name.startswith(_SECRET_STARTS) or name.endswith(_SECRET_ENDS):
        return True
    return name.startswith("id_") and "." not in name.removesuffix(".pub")


def secrets_among(folder: Path, names: Iterable[str]) -> Iterator[str]:
    """Those of the files `names` in one folder for which `holds_secrets` is true; much faster for many."""
    placed = in_secret_place(folder)
    for name in names:
        folded = _folded(name)
        if placed or _is_secret_name(folded) or (folded in _ENDS_OF_PLACES and in_secret_place(folder / name)):
            yield name


def in_secret_place(path: Path) -> bool:
    """Whether `path` is, or is in, a directory for keys, sessions or browser profiles."""
    whole = _whole(path)
    return any(place in whole for place in _SECRET_PLACES)


def runs_later(path: Path, work_dir: Path) -> bool:
    """Whether other programs may run or read what is written at `path`: hooks, shell start-up files, cron tables.

    That includes the directories for programs and packages, the parts of a bare git repository, and hidden files and
    directories (below the work directory, or anywhere outside it) unless they are known to name no program.
    """
    name = _folded(path.name)
    if name in _LATER_NAMES or name.endswith(_LATER_ENDS):
        return True
    whole = _whole(path)
    inside = is_beneath(path, work_dir)
    if not inside and (whole.startswith(_SYSTEMS) or any(place in whole for place in _PROGRAMS_OWN)):
        return True
    parts = path.relative_to(work_dir).parts if inside else path.parts[1:]
    hidden = any(part.startswith(".") and part not in _INERT for part in map(_folded, parts))
    return (
        hidden
        or any(place in whole for place in (*_LATER_PLACES, *_INSTALLED))
        or _is_program_place(path.parent)
        or _in_environment(path)
        or _in_bare_repository(path)
    )


def runs_unseen(path: Path) -> bool:
    """Whether what is written at `path` is run without a person looking at it first, or is the daemon's to trust.

    These are shell start-up files, hooks, tasks of editors, workflows of servers, and what starts with the session. It
    is a part of `runs_later`, for which even the mode `auto_approve` asks.
    """
    if _folded(path.name) in _UNSEEN_NAMES:
        return True
    whole = _whole(path)
    return any(place in whole for place in _UNSEEN_PLACES)


def _in_environment(path: Path) -> bool:
    """Whether `path` is where a Python environment has its programs and packages."""
    return any(
        _folded(path.parts[place]) in _OF_ENVIRONMENT and os.path.lexists(Path(*path.parts[:place], "pyvenv.cfg"))
        for place in range(1, len(path.parts))
    )


def _is_program_place(folder: Path) -> bool:
    home = os.path.expanduser("~")
    places = [*os.environ.get("PATH", "").split(os.pathsep), os.path.join(home, "bin"), os.path.join(home, ".bin")]
    return str(folder) in {os.path.realpath(place) for place in places if os.path.isabs(place)}


def _in_bare_repository(path: Path) -> bool:
    """Whether `path` is what git would read or run in a directory that is itself a repository: one with a HEAD."""
    whole = [_folded(part) for part in path.parts]
    return any(
        os.path.lexists(Path(*path.parts[:place], "HEAD"))
        for place in range(1, len(whole))
        if whole[place] in _OF_REPOSITORY or (place == len(whole) - 1 and whole[place] in _FILES_OF_REPOSITORY)
    )


def _whole(path: Path) -> str:
    """The folded path between slashes: "/.ssh/" is in it for the directory and for everything inside."""
    return "/" + "/".join(_folded(part) for part in path.parts[1:]) + "/"


def _folded(name: str) -> str:
    """The name as lenient file systems compare it: without case, zero-width characters, trailing dots and spaces."""
    if not name.isascii():
        name = "".join(char for char in unicodedata.normalize("NFKC", name) if unicodedata.category(char) != "Cf")
    return name.casefold().rstrip(" .") or name
