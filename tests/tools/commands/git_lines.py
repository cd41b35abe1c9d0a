"""Traps of git: its options, its commands that also write, and what a repository's own files make it do."""

from __future__ import annotations

from tests.tools.commands.tables import OPTION, OUTSIDE, SECRET, UNKNOWN_PROGRAM, asks, lines_of, reads

# -- git: options and commands -----------------------------------------------------------------------------------------

for line in lines_of(
    r"""
git -c core.fsmonitor=./x status
git -c alias.x='!id' x
git -calias.x='!id' x
git --config-env=core.pager=X log
git --git-dir=x status
git --git-dir x status
git --work-tree=.. status
git --exec-path=. status
git -p log
git --paginate log
git --bare log
git --namespace=x log
git --super-prefix=x log
git --attr-source=x log
git --help
git diff --ext-diff
git log -p --ext-diff
git show --textconv
git log -p --textconv
git blame --textconv a.txt
git grep --textconv x
git cat-file --textconv HEAD:a.txt
git cat-file --filters HEAD:a.txt
git cat-file --batch
git diff --output=x
git diff --output x
git diff --outp=x
git log --output=x
git show --output=x
git shortlog --output=x
git diff --no-index a.txt b.txt
git diff --no-ind a.txt b.txt
git grep --no-index x
git grep --untracked x
git grep --recurse-submodules x
git grep -O x
git grep -O./x y
git grep -nO x
git grep --open-files-in-pager=./x y
git grep --open-files=./x y
git grep -f a.txt
git diff -Oa.txt
git log --show-signature
git log --sho
git log --stdin
git log --submodule=diff
git diff --submodule=diff
git log --remerge-diff
git blame --contents a.txt b.txt
git blame --ignore-revs-file a.txt b.txt
git blame -S a.txt b.txt
git ls-files --recurse-submodules
git ls-files -X a.txt
git ls-files --exclude-from=a.txt
git status --x
git branch -d other
git branch -D other
git branch -m x
git branch -c x
git branch -f x
git branch -u x
git branch --set-upstream-to=x
git branch --edit-description
git branch --unset-upstream
git tag -d v1
git tag -a x
git tag -s x
git tag -v v1
git tag -F a.txt x
git tag --verify v1
git remote -v --x
git stash show --include-untracked
git worktree list --x
git describe --dirty
git describe --broken
git rev-parse --parseopt
git rev-parse --git-path x
git rev-list --use-bitmap-index --all
git for-each-ref --shell
git check-ignore --stdin
git symbolic-ref -d HEAD
git symbolic-ref -m x HEAD
git merge-base --x
git diff-tree --stdin
git show-ref --exclude-existing
"""
):
    asks(line, OPTION)
for command in (
    *(
        "add .",
        "commit -m x",
        "push",
        "pull",
        "fetch",
        "clone x",
        "checkout main",
        "switch main",
        "restore a.txt",
        "reset",
    ),
    *(
        "merge other",
        "rebase main",
        "clean -n",
        "rm a.txt",
        "mv a.txt b",
        "init",
        "config --list",
        "config user.name x",
    ),
    *("apply a.txt", "am a.txt", "cherry-pick main", "revert HEAD", "bisect run ./x", "submodule status", "gc", "fsck"),
    *("submodule foreach ls", "archive HEAD", "bundle list-heads x", "difftool", "mergetool", "filter-branch", "notes"),
    *("update-index --refresh", "update-ref x HEAD", "hash-object -w a.txt", "format-patch -1", "send-email", "daemon"),
    *(
        "instaweb",
        "ls-remote",
        "var GIT_EDITOR",
        "help log",
        "lfs ls-files",
        "whatever",
        "hook run x",
        "maintenance run",
    ),
    *(
        "credential fill",
        "interpret-trailers a.txt",
        "column",
        "sparse-checkout list",
        "request-pull x y",
        "diff-files",
    ),
    *("range-diff a b", "annotate a.txt"),
):
    asks(f"git {command}", UNKNOWN_PROGRAM)
asks("git", "`git` gets no command")
asks("git $X", "")
asks("git -C .. status", OUTSIDE)
asks("git -C /etc status", OUTSIDE)
asks("git -C src -C ../.. status", OUTSIDE)
asks("git -C $X status", "")
asks("git -C", "")
asks("git branch new", "`git branch` creates what it names")
asks("git branch new main", "`git branch` creates what it names")
asks("git branch -v new", "`git branch` creates what it names")
asks("git branch --abbrev=7 new", "`git branch` creates what it names")
asks("git branch -q new", "`git branch` creates what it names")
asks("git branch -l new", OPTION)
asks("git tag new", "`git tag` creates what it names")
asks("git tag -n new", "`git tag` creates what it names")
asks("git tag --sort=refname new", "`git tag` creates what it names")
asks("git tag --column new", "`git tag` creates what it names")
asks("git remote add x y", "may change the repository")
asks("git remote remove x", "may change the repository")
asks("git remote update", "may change the repository")
asks("git remote -v update", "may change the repository")
asks("git remote show origin", "may change the repository")
asks("git stash", "may change the repository")
asks("git stash pop", "may change the repository")
asks("git stash -p", "may change the repository")
asks("echo y | git stash -p list", "may change the repository")
asks("git stash -u list", "may change the repository")
asks("git worktree add x", "may change the repository")
asks("git worktree prune", "may change the repository")
asks("git worktree -v list", "may change the repository")
asks("git reflog expire --all", "may change the repository")
asks("git reflog delete x", "may change the repository")
asks("git reflog -n show expire", "may change the repository")
asks("git symbolic-ref HEAD refs/heads/x", "gets `refs/heads/x`")
asks("git count-objects x", "gets `x`")
asks("git log --format='%G?'", "checking signatures runs another program")
asks("git log --format='%+GG'", "checking signatures runs another program")
asks("git log --pretty='format:%h %GS'", "checking signatures runs another program")
asks("git show --format='% GK' HEAD", "checking signatures runs another program")
asks("git shortlog --format=%G? HEAD", "checking signatures runs another program")
asks("git for-each-ref --format='%(signature:grade)'", "checking signatures runs another program")
asks("git branch --format='%(signature)'", "checking signatures runs another program")
reads("git log --format='%an %ad %s' --date=format:%G", "no signature")
asks("git diff /etc/passwd a.txt", OUTSIDE)
asks("git diff ../outside/secret.txt a.txt", OUTSIDE)
asks("git diff -U /etc/passwd a.txt", OUTSIDE)
asks("git diff --unified /etc/passwd a.txt", OUTSIDE)
asks("git diff --abbrev /etc/passwd a.txt", OUTSIDE)
asks("git diff -- ~/x", OUTSIDE)
asks("git diff out a.txt", OUTSIDE, there={"work/out": "link:BASE/outside/secret.txt"})
asks("git diff a.txt .env", SECRET)
asks("git show HEAD:.env", SECRET)
asks("git show HEAD:src/../.ssh/config", "")
asks("git show HEAD:.aws/credentials", SECRET)
asks("git show HEAD:.aws/x", SECRET)
asks("git show HEAD:../outside", OUTSIDE)
asks("git show :.env", SECRET)
asks("git show :0:.env", SECRET)
asks("git cat-file -p HEAD:.env", SECRET)
asks("git blame .env", SECRET)
asks("git log -p -- .env", SECRET)
asks("git log -L1,5:.env", SECRET)
asks("git log -L :x:.env", SECRET)
asks("git log -L1,5:../outside/x", OUTSIDE)
asks("git diff -- ':(icase).ENV'", "a pattern that is not checked")
asks("git diff -- ':(top).env'", "a pattern that is not checked")
asks("git diff -- ':(glob)**/*'", "a pattern that is not checked")
asks("git diff -- ':/.env'", SECRET)
asks("git diff -- $X", "its arguments are known only when it runs")
asks("git show $(git rev-parse HEAD)", "its arguments are known only when it runs")

# -- git: the repository -----------------------------------------------------------------------------------------------

for key, config in {
    "core.fsmonitor": "[core]\n\tfsmonitor = ./x\n",
    "core.pager": "[core]\n\tpager = ./x\n",
    "core.editor": "[core]\n\teditor = ./x\n",
    "core.sshcommand": "[core]\n\tsshCommand = ./x\n",
    "core.worktree": "[core]\n\tworktree = ..\n",
    "core.attributesfile": "[core]\n\tattributesFile = ./x\n",
    "core.excludesfile": "[CORE]\n\tEXCLUDESFILE = ./x\n",
    "core.alternaterefscommand": "[core]\n\talternateRefsCommand = ./x\n",
    "filter.*.clean": '[filter "x"]\n\tclean = ./x\n',
    "filter.*.process": '[filter "x"]\n\tprocess = ./x\n',
    "diff.external": "[diff]\n\texternal = ./x\n",
    "diff.*.textconv": '[diff "x"]\n\ttextconv = ./x\n',
    "diff.*.command": '[diff "x"]\n\tcommand = ./x\n',
    "diff.orderfile": "[diff]\n\torderFile = ./x\n",
    "alias.status": "[alias]\n\tstatus = !./x\n",
    "pager.log": "[pager]\n\tlog = ./x\n",
    "include.path": "[include]\n\tpath = ../x\n",
    "includeif.*.path": '[includeIf "gitdir:."]\n\tpath = ../x\n',
    "gpg.program": "[gpg]\n\tprogram = ./x\n",
    "log.showsignature": "[log]\n\tshowSignature = true\n",
    "extensions.partialclone": "[extensions]\n\tpartialClone = origin\n",
    "extensions.worktreeconfig": "[extensions]\n\tworktreeConfig = true\n",
    "extensions.objectformat": "[extensions]\n\tobjectFormat = sha256\n",
    "remote.*.promisor": '[remote "origin"]\n\tpromisor = true\n',
    "remote.*.uploadpack": '[remote "origin"]\n\tuploadpack = ./x\n',
    "remote.origin.url": "[remote.origin]\n\turl = x\n",
    "submodule.*.url": '[submodule "x"]\n\turl = x\n',
    "credential.helper": "[credential]\n\thelper = !./x\n",
    "trailer.*.command": '[trailer "x"]\n\tcommand = ./x\n',
    "interactive.difffilter": "[interactive]\n\tdiffFilter = ./x\n",
    "blame.ignorerevsfile": "[blame]\n\tignoreRevsFile = /etc/passwd\n",
    "mailmap.file": "[mailmap]\n\tfile = /etc/passwd\n",
    "url.*.insteadof": '[url "ext::x"]\n\tinsteadOf = x\n',
    "uploadpack.packobjectshook": "[uploadpack]\n\tpackObjectsHook = ./x\n",
    "safe.directory": "[safe]\n\tdirectory = *\n",
}.items():
    asks("git status", f"the repository's configuration has `{key}`", config=config)
for odd in (
    "[core] fsmonitor = ./x\n",
    "[core]fsmonitor=./x\n",
    "[user]\n\tname = a \\\n[core]\n\tfsmonitor = ./x\n",
    '[user]\n\tname = "a \\\n\t[core]\n\tfsmonitor = ./x"\n',
    "[user]\n\tname = a\\\r\n\tb\n",
    "[core]\n\tfsmonitor ./x\n",
    "[core]\n\tfsmonitor\u00a0x\n",
    '[diff "x\\\ny"]\n\ttextconv = ./x\n',
    "[user]\n\tna me = x\n",
):
    asks("git status", "the repository's configuration is unusual", config=odd)
asks(
    "git status",
    "the repository's configuration has `core.fsmonitor`",
    config="[user]\n\tname = x # y\n[core]\n\tfsmonitor\n",
)
asks("git status", "git's file config can't be read", config="#" * 300_000 + "\n[core]\n\tfsmonitor = ./x\n")
reads("git status", "usual settings, comments and quotes", config='; x\n[user]\n\tname = "x; [core]" # y\n')
reads("git status", "hooks are turned off", config="[core]\n\thooksPath = .husky\n")
reads(
    "git log -p -1",
    "usual settings",
    config='[remote "origin"]\n\turl = x\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n',
)
asks("git remote -v", "may hold a password", config='[remote "o"]\n\turl = https://x:y@example.com/z\n')
asks(
    "cd sub && git status",
    "may be a repository",
    there={"work/sub/HEAD": "x", "work/sub/objects/x": "", "work/sub/refs/x": ""},
)
asks("cd sub && git diff", "may be a repository", there={"work/sub/HEAD": "x", "work/sub/commondir": "../evil\n"})
asks("git -C sub log", "may be a repository", there={"work/sub/HEAD": "x", "work/sub/commondir": "../evil\n"})
asks("git -C .git log", "may be a repository")
asks("git status", "may be a repository", there={"work/HEAD": "ref: refs/heads/main\n"})
asks("cd sub && git status", "`.git` is a link", there={"work/sub/x": "", "work/sub/.git": "link:../.git"})
asks("cd sub && git status", "the `.git` file is not understood", there={"work/sub/.git": "x\n"})
asks("cd sub && git status", "git's file config can't be read", there={"work/sub/.git": "gitdir: ../evil\n"})
asks(
    "cd sub && git status",
    "the repository's configuration has `core.fsmonitor`",
    there={
        "work/sub/.git": "gitdir: ../evil\n",
        "work/evil/config": "[core]\n\tfsmonitor = ./x\n",
        "work/evil/HEAD": "x",
    },
)
asks(
    "cd sub && git status",
    "the repository's configuration has `core.fsmonitor`",
    there={"work/sub/.git": "gitdir: ../evil\n", "work/evil/config": "", "work/evil/HEAD": "x"}
    | {"work/evil/commondir": "../more\n", "work/more/config": "[core]\n\tfsmonitor = ./x\n"},
)
asks("cd sub && git status", "git's file config can't be read", there={"work/sub/.git/HEAD": "x"})
asks("cd sub && git status", "is not whole, so git looks for another", there={"work/sub/.git/config": ""})
asks("git status", "its configuration elsewhere", there={"work/.git/commondir": "../evil\n"})
asks("git status", "configurations of their own", there={"work/.git/config.worktree": "[core]\n\tfsmonitor = ./x\n"})
asks("git status", "has submodules", there={"work/.gitmodules": ""})
asks("git diff", "has submodules", there={"work/.git/modules/x/config": ""})
asks("git log -p", "has submodules", there={"work/.gitmodules": ""})
asks("git reflog -p", "has submodules", there={"work/.gitmodules": ""})
asks("git stash show -p", "has submodules", there={"work/.gitmodules": ""})
reads("git ls-files", "it does not look into submodules", there={"work/.gitmodules": ""})
asks("git diff a.txt b.txt", "there is no repository, so git compares any files", there={"work/.git": "gone:"})
asks("git diff src tests", "there is no repository, so git compares any files", there={"work/.git": "gone:"})
reads("git status", "git reports that there is no repository", there={"work/.git": "gone:"})
asks(
    "cd in && git diff ../src ../tests",
    "is outside the repository",
    there={"work/in/.git/HEAD": "x", "work/in/.git/config": ""},
)
asks("git log", "variables of git are set", env={"GIT_EXTERNAL_DIFF": "./x"})
asks("git log", "variables of git are set", env={"GIT_DIR": "x"})
asks("git log", "variables of git are set", env={"GIT_CONFIG_COUNT": "1"})
reads(
    "git log", "variables that the daemon sets", env={"GIT_PAGER": "cat", "GIT_EDITOR": ":", "GIT_TERMINAL_PROMPT": "0"}
)
