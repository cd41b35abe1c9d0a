"""What a sandboxed command may not read in the home and the system, and what it may not write in its folder."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SECRETS = (
    # keys, and sessions with servers
    *_words(".ssh .gnupg .pki .netrc _netrc .git-credentials .pgpass .my.cnf .mylogin.cnf .vault-token .authinfo"),
    *_words(".aws .azure .kube .docker .s3cfg .boto .terraform.d .oci .fly .minikube .ansible .subversion/auth"),
    *_words(".npmrc .yarnrc.yml .pypirc .cargo/credentials .cargo/credentials.toml .gem/credentials"),
    *_words(".gradle/gradle.properties .nuget/NuGet .composer/auth.json .bundle/config .kaggle .huggingface"),
    *_words(".cache/huggingface/token .smbcredentials .claude/.credentials.json .claude.json .codex/auth.json .gemini"),
    # stores of passwords and keys
    *_words(".password-store .1password .bitcoin .electrum .ethereum .keychain .keepass .var/app .secrets"),
    # browsers and mail
    *_words(".mozilla .thunderbird .librewolf .waterfox .cache/mozilla .cache/google-chrome .cache/chromium .mail"),
    *_words("snap/firefox snap/chromium snap/thunderbird Library/Keychains Library/Cookies Library/Mail"),
    "Library/Application Support/Google",
    "Library/Application Support/Firefox",
    "Library/Application Support/BraveSoftware",
    "Library/Application Support/Microsoft Edge",
    # what the user has typed, which holds passwords
    *_words(".bash_history .zsh_history .zhistory .sh_history .ksh_history .history .python_history .viminfo"),
    *_words(".node_repl_history .psql_history .mysql_history .sqlite_history .rediscli_history .mongo_history"),
    *_words(".irb_history .lesshst .bash_sessions .zsh_sessions .wget-hsts"),
)
"""In the home."""
SECRETS_OF_CONFIG = (
    *_words("gcloud gh glab-cli hub op doctl sops rclone heroku configstore containers/auth.json git/credentials"),
    *_words("google-chrome google-chrome-beta chromium BraveSoftware microsoft-edge vivaldi opera Bitwarden 1Password"),
    *_words("keepassxc Signal Slack discord Element fish/fish_history pypoetry/auth.toml composer/auth.json filezilla"),
    *_words("evolution Code/User/globalStorage goa-1.0"),
)
"""In $XDG_CONFIG_HOME, or .config of the home."""
SECRETS_OF_DATA = _words(
    "keyrings kwalletd TelegramDesktop evolution fish/fish_history pki gnome-shell recently-used.xbel zsh/history"
    " Trash password-store gopass"
)
"""In $XDG_DATA_HOME, or .local/share of the home."""
SECRET_VARIABLES = _words(
    "GNUPGHOME AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AZURE_CONFIG_DIR CLOUDSDK_CONFIG"
    " GOOGLE_APPLICATION_CREDENTIALS KUBECONFIG DOCKER_CONFIG NETRC PGPASSFILE NPM_CONFIG_USERCONFIG"
    " PASSWORD_STORE_DIR HISTFILE VAULT_TOKEN_PATH"
)
"""Variables that name a file or a directory of secrets."""
SECRETS_OF_SYSTEM = _words(
    "/etc/shadow /etc/shadow- /etc/gshadow /etc/gshadow- /etc/ssl/private /etc/krb5.keytab /etc/sudoers"
    " /etc/sudoers.d /var/backups /sys/kernel/debug /sys/kernel/tracing /sys/kernel/security /sys/firmware /sys/fs/bpf"
    " /sys/fs/pstore /boot/efi /var/lib/private /var/spool/cron"
)
"""Most of them only root can read."""
HOST_KEYS = "/etc/ssh/ssh_host_*_key"

_START = "a shell or a terminal runs it when it starts"
_EDITOR = "an editor runs what it says when the folder is opened"
_AGENT = "Aster or another agent follows it"
_ENTERED = "tools run what it says when somebody enters the folder"
GIT_WORDS = "git runs programs that it names"
_LOGIN = "the system runs it, or lets somebody in by it"

RUN_LATER: dict[str, str] = {
    **dict.fromkeys(
        _words(
            ".bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin"
            " .zlogout .kshrc .mkshrc .cshrc .tcshrc .login .logout .inputrc .tmux.conf .screenrc"
        ),
        _START,
    ),
    **dict.fromkeys(
        _words(".xprofile .xinitrc .xsession .xsessionrc .pam_environment .ssh authorized_keys crontab"), _LOGIN
    ),
    **dict.fromkeys(
        _words(
            ".vscode .idea .devcontainer .zed .fleet .vim .vimrc .gvimrc .exrc .nvimrc .nvim.lua .emacs .emacs.d"
            " .dir-locals.el .gdbinit .lldbinit"
        ),
        _EDITOR,
    ),
    **dict.fromkeys(_words(".aster .cursor .claude .mcp.json .codex .gemini .windsurf .kiro"), _AGENT),
    **dict.fromkeys(_words(".envrc .mise.toml mise.toml .tool-versions .npmrc .yarnrc.yml .pnpmfile.cjs"), _ENTERED),
    **dict.fromkeys(_words(".gitconfig .gitmodules .husky .githooks .pre-commit-config.yaml"), GIT_WORDS),
}
"""Names of files and directories, anywhere in the folder, that other programs run or follow, and why they are here.

Shorter than the list of the file tools, which only asks: what is here, a command can't change.
"""
GIT_RUNS = frozenset(_words("hooks config config.worktree commondir git-rebase-todo"))
"""What git runs, or where it looks for that, in each directory of a repository."""
GIT_DEEPER = frozenset(_words("modules worktrees rebase-merge rebase-apply"))
"""Where a repository has more such directories: submodules, worktrees, a rebase that has not ended."""
GIT_SKIPPED = frozenset(_words("objects refs logs info"))
"""Where a repository has only data, and most of its files."""
RUN_LATER_IN_HOME = (
    *_words(".config .local/bin .local/share/applications .local/share/dbus-1 .local/share/systemd .cargo/bin bin"),
    *_words(".pyenv .rbenv .nvm .asdf .rustup .deno/bin .bun/bin .oh-my-zsh .cargo/config.toml .cargo/config"),
    *_words(".gradle/init.d .m2/settings.xml .ipython .jupyter .gnupg Library .config/autostart .config/systemd"),
)
"""Read-only as well when the folder is the home, or contains it."""
SYSTEM = frozenset(
    _words(
        "/ /bin /boot /dev /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /nix /opt /proc /root /run /sbin /srv /sys"
        " /tmp /usr /var /var/tmp /var/lib /var/run /dev/shm /usr/local /usr/bin /usr/lib /Users /Library /System"
        " /Applications /private /private/tmp /private/var /private/etc"
    )
)
"""Directories of the system and of all users: no session can have one of them writable in a sandbox."""
