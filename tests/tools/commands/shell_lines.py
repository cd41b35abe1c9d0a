"""Traps of the shell: its grammar, where a command runs, redirections, and the files that words and patterns name."""

from __future__ import annotations

from tests.tools.commands.tables import OPTION, OUTSIDE, SECRET, UNKNOWN_PROGRAM, Denies, asks, lines_of, reads

# -- programs that are not known to only read --------------------------------------------------------------------------

for program in (
    *("env ls", "env -i A=1 sh", "xargs cat", "xargs -0 rm", "timeout 5 ls", "nice ls", "nohup ls", "sudo ls"),
    *("busybox ls", "busybox sh", "sh x.sh", "sh -c ls", "bash -c ls", "tee x", "cp a.txt c", "rm a.txt", "touch x"),
    *("less a.txt", "more a.txt", "vi a.txt", "tar tf x", "make", "npm test", "watch ls", "setsid ls", "parallel ls"),
    *("stdbuf -o0 ls", "chroot . ls", "python --version -c x", "python -c 1", "node -v", "make --version x"),
    "rm -- a.txt",
):
    asks(program, UNKNOWN_PROGRAM)
asks("ls | xargs rm", "`xargs` is not known to only read")
asks("cat a.txt | tee b.txt", "`tee` is not known to only read")
for line in lines_of(r"""
cat a.txt && rm a.txt
cat a.txt; rm a.txt
cat a.txt & rm a.txt
cat a.txt || rm a.txt
if true; then rm a.txt; fi
if rm a.txt; then ls; fi
if false; then ls; elif rm a.txt; then ls; fi
if false; then ls; else rm a.txt; fi
(rm a.txt)
{ rm a.txt; }
! rm a.txt
echo $(rm a.txt)
echo `rm a.txt`
echo "$(rm a.txt)"
echo "a $(echo $(rm a.txt)) b"
cat a.txt > /dev/null$(rm a.txt)
LANG=$(rm a.txt) ls
echo \# ; rm a.txt
echo a#b; rm a.txt
'rm' a.txt
r"m" a.txt
\rm a.txt
"""):
    asks(line, "`rm` is not known to only read")
asks("cat a.txt\nrm a.txt", "`rm` is not known to only read")
asks("ls # x\nrm a.txt", "`rm` is not known to only read")
asks("ls \\\n; rm a.txt", "`rm` is not known to only read")
asks("$(echo rm) a.txt", "its program is known only when it runs")
asks("$X a.txt", "its program is known only when it runs")
asks("r? a.txt", "its program is known only when it runs")
asks("./ls", "is in the folder", there={"work/ls": "#!/bin/sh\n"})
asks("src/../ls", "is in the folder")
asks("/usr/bin/env ls", "is not where programs are")
asks("BASE/outside/ls", "is not where programs are", there={"outside/ls": "#!/bin/sh\n"})
asks("missing-program", "there is no program")
asks("command rm a.txt", "it runs another program")
asks("command -- rm -v", "it runs another program")
asks("command -p rm a.txt", OPTION)
asks("command rm -v a.txt", "may take `-v` as a file, or run what it names")
for builtin in ("builtin echo x", "exec ls", "eval ls", "source a.txt", ". ./a.txt", "trap ls EXIT", "alias ls=rm"):
    asks(builtin, "there is no program")
for builtin in ("set -- x", "read x", "pushd src", "shift", "getopts a x", "wait", "kill 1", "ulimit -n 1", "umask 0"):
    asks(builtin, "there is no program")

# -- variables and assignments -----------------------------------------------------------------------------------------

asks("export PATH=.", "it sets variables")
asks("readonly x=1", "it sets variables")
asks("unset PATH", "it unsets variables")
for name, value in {
    "PATH": ".",
    "LD_PRELOAD": "./x.so",
    "GIT_DIR": "x",
    "GIT_EXTERNAL_DIFF": "./x",
    "HOME": "/etc",
    "LANGUAGE": "../../evil",
    "LANG": "/tmp/evil",
    "LC_ALL": "$X",
    "LC_MESSAGES": "../x",
    "TZ": ":/etc/shadow",
}.items():
    asks(f"{name}={value} ls", f"it sets {name} for a program")
asks("TZ=/etc/shadow date", "it sets TZ for a program")
asks("TZ=Europe/../../x date", "it sets TZ for a program")
for line in ("LANG=C", "x=1; ls", "PATH=.", "PATH=.; ls", "PATH=. && ls", "a[0]=1 ls"):
    asks(line, "it sets a variable")
asks("cat ''\\a.txt", "a word that is not checked")  # one word, which tree-sitter reads as two
asks("X+=1 ls", "")
asks("cat $FILE", "its arguments are known only when it runs")
asks("cat $(echo a.txt)", "its arguments are known only when it runs")
asks('cat "$FILE"', "its arguments are known only when it runs")
asks("ls $(pwd)", "its arguments are known only when it runs")
for text in ("${X:=1}", "${HOME:=1}", "${X:-$(rm a)}", "${#X}", "${X%.txt}"):
    asks(f"echo {text}", "")
for text in ("${X/a/b}", "${!X}", "${X@P}", "${X[0]}", "$[1]"):
    asks(f"echo {text}", "")
asks("echo $((X=1))", "an arithmetic expansion")
for text in ("$HOME\u00e9", '"$HOME\u00e9"', "$HOME[1]", '"$HOME:h"'):
    asks(f"echo {text}", "an expansion that is not checked")  # the name, or the expansion, goes on for some shells
asks("echo $GITHUB_TOKEN", "it uses the value of GITHUB_TOKEN", env={"GITHUB_TOKEN": "x"})
asks('echo "a${GITHUB_TOKEN}"', "it uses the value of GITHUB_TOKEN", env={"GITHUB_TOKEN": "x"})
asks(": $GITHUB_TOKEN", "it uses the value of GITHUB_TOKEN", env={"GITHUB_TOKEN": "x"})
reads("echo $UNKNOWN $USER $? $$", "no secrets can be in these")
asks("printf '%s%n' abc PATH; ls", "its format is not known")
asks("printf '%5n' PATH", "its format is not known")
asks("printf '\\045d' PATH=3", "its format is not known")
asks("printf '%*d' x 1", "its format is not known")
asks("printf '%d' PATH=3", "it evaluates its operands")
asks("printf '%d' 'a[$(id)]'", "it evaluates its operands")
asks("printf -v PATH .", OPTION)
asks("printf '%s\\n' BASE/outside/*", OUTSIDE)
asks("printf '%s\\n' $X", "its arguments are known only when it runs")
asks("echo BASE/outside/*", OUTSIDE)
asks("echo ../*", OUTSIDE)
asks("[ -v 'a[$(id)]' ]", "its condition is about a variable")
asks("test -v PATH", "its condition is about a variable")
asks("[ -f ../outside/secret.txt ]", OUTSIDE)
asks("test -e /etc/shadow", OUTSIDE)
asks("[ -f ~/x ]", "a condition that is not checked")
asks("[ -s out ]", OUTSIDE, there={"work/out": "link:BASE/outside/secret.txt"})
asks("[ $X = 1 ]", "the arguments of `[` are known only when it runs")
asks("[ -f *.txt ]", "the arguments of `[` are known only when it runs")
asks('[ "$(ls -A src)" ]', "the arguments of `[` are known only when it runs")
asks("[[ -f a.txt ]]", "")

# -- parts of the grammar ----------------------------------------------------------------------------------------------

for line in ("for f in *; do cat $f; done", "while true; do ls; done", "until ls; do ls; done"):
    asks(line, "it has a loop")
asks("case x in x) ls;; esac", "it has a case statement")
for line in ("f() { ls; }; f", "ls() { rm a.txt; }\nls", "function ls { rm a.txt; }; ls"):
    asks(line, "it defines a function")
asks("cat <<E\nx\nE", "it has a here-document")
asks("cat <<-'E'\nx\nE", "it has a here-document")
asks("cat <<E; rm a.txt\nx\nE", "its grammar is not understood")
asks("cat <<< x", "it has a here-string")
asks("cat <(ls)", "it has a process substitution")
asks("cat >(ls)", "it has a process substitution")
asks("echo $'\\x41'", "escape codes")
asks("cat $'a\\x2etxt'", "escape codes")
asks("cat {a,b}.txt", "it has braces")
asks("cat a{1..3}", "it has braces")
asks("cat a.{txt,md}", "it has braces")
for line in (
    'echo $"a"',
    "coproc ls",
    "select x in a; do ls; done",
    "time ls",
    "! { ls; }",
    "ls ;; ls",
    "ls |& cat",
    "echo ?(a)",
    "cat !(a)",
):
    asks(line, "")
for char in "\u00a0\u2003\u202e\u200b\r\x0b\x00\x85\ufeff\u3000\x1b":
    asks(f"ls{char}-la", "it has invisible characters")
asks("ls\r\nrm a.txt", "it has invisible characters")
asks("grep -e x\u00e0/etc/passwd a.txt", "a word that is not checked")
reads("cat 'x\u00e0.txt' \u00e9.txt", "letters in quotes, and without bytes that are blanks")
asks("l\\\ns", "a backslash at the end of a line")
asks("cat a.txt\\\n../b", "a backslash at the end of a line")
asks("echo a \\\\\nrm a.txt", "a backslash at the end of a line")
reads("ls \\\n -la", "the line goes on after a blank")
for line in ("ls 'a", 'ls "a', "ls )", "ls &&", "ls | | cat"):
    asks(line, "its grammar is not understood")
asks("echo " + "a" * 20_000, "it is very long")
asks("( " * 60 + "ls" + " )" * 60, "it is nested very deeply")
asks("echo `echo \\`rm a.txt\\``", "it has backslashes in backquotes")
asks("cat ~root/x", "another person's home folder")
asks("cat ~+/a.txt", "another person's home folder")
asks("cat ~/x", OUTSIDE)
asks('cat ~""/work/passwd', "a ~ within a word")
asks("cat ~$X", "a ~ within a word")
asks("cat a=~/x", "a ~ within a word")
asks("cat [[:alpha:]].txt", "a pattern that is not checked")
asks("cat [^a].txt", "a pattern that is not checked")
asks("cat ['a'].txt", "a pattern that is not checked")
reads("echo !!", "a shell without a person has no history")
reads("ls &! cat", "the one runs in the background, and the other after it")
reads("echo '$(rm a.txt)' \"\\$(rm a.txt)\" '`rm`'", "quoted, so only text")
reads("echo 'it'\"'\"'s'", "quotes of both kinds")
reads("ls # ; rm a.txt", "a comment")
reads("echo a#b c", "no comment within a word")

# -- redirections ------------------------------------------------------------------------------------------------------

for line in (
    *("echo x > a.txt", "echo x >> a.txt", "echo x >| a.txt", "echo x &> a.txt", "echo x &>> a.txt", "echo x >& a.txt"),
    *(
        "> a.txt",
        "> a.txt ls",
        "ls 2> a.txt",
        "ls 3> a.txt",
        "(ls) > a.txt",
        "{ ls; } > a.txt",
        "ls > /dev/null > a.txt",
    ),
    "if true; then ls; fi > a.txt",
):
    asks(line, "it may write to a.txt")
asks("ls >/dev/null''x", "it may write to /dev/nullx")
asks('echo $=x "$=x"', "")
asks("echo x >&\u0663", "it may write to")  # a file for bash, whose name is a digit only for Unicode
asks("echo x <> a.txt", "its grammar is not understood")
asks("{fd}> a.txt ls", "")
asks("ls > $X", "it redirects to a file that is known only when it runs")
asks("ls > *.txt", "it redirects to a file that is known only when it runs")
asks("ls > /dev/tty", "it may write to /dev/tty")
asks("ls > /dev/null/../../tmp/x", "it may write to")
asks("cat < ../outside/secret.txt", OUTSIDE)
asks("cat < .env", SECRET)
asks("cat < /dev/tcp/example.com/80", "is not open to tools")
asks("cat < out", OUTSIDE, there={"work/out": "link:BASE/outside/secret.txt"})
asks("ls 2>&-", "it has a redirection that is not checked")
asks("cat < pipe", "is not a file or folder", there={"work/pipe": "fifo:"})
reads("ls 2>&1 >/dev/null", "only descriptors and nothing")
reads("cat < a.txt 3>&1", "a file of the folder")

# -- where a command runs ----------------------------------------------------------------------------------------------

for line in (
    *(
        "cat ../outside/secret.txt",
        "cat src/../../outside/secret.txt",
        "cat /etc/passwd",
        "cat BASE/outside/secret.txt",
    ),
    *(
        "cat $HOME/x",
        "cat ${HOME}/x",
        'cat "$HOME/x"',
        "ls ..",
        "ls /",
        "ls ~",
        "cd .. && ls",
        "cd / && ls",
        "cd ~ && ls",
    ),
    *("cd src && cat ../../outside/secret.txt", "cd src; cat ../outside/secret.txt", "cd src || cat ../outside/x"),
    *("cd src | cat ../outside/secret.txt", "(cd src); cat ../outside/secret.txt", "! cd src && cat ../outside/x"),
    *("cd src & cat ../outside/secret.txt", "{ cd src; }; cat ../outside/secret.txt", "cd missing; cat ../outside/x"),
    *("if cd src; then ls; fi; cat ../outside/secret.txt", "cd src && ls || cat ../outside/secret.txt"),
    *(
        "echo $(cd src) && cat ../outside/secret.txt",
        "cd src && cd deep; cat ../../outside/x",
        "cd src\ncat ../outside/x",
    ),
):
    asks(line, OUTSIDE)
for line in ("cat /proc/self/environ", "cat /dev/sda", "cat /dev/stdin", "cat /dev/fd/0", "cat ../daemon/aster.db"):
    asks(line, "is not open to tools")
_LINKS = {"work/out": "link:BASE/outside/secret.txt", "work/away": "link:BASE/outside", "work/-": "link:../outside/x"}
for line in (
    "cat out",
    "cat away/secret.txt",
    "cat *",
    "cat */secret.txt",
    "wc -l ou?",
    "column -",
    "ls away/.",
    "stat o*",
):
    asks(line, OUTSIDE, there=_LINKS)
asks("cat ??", OUTSIDE, there={"work/\u00e9": "link:BASE/outside/secret.txt"})  # dash's patterns are for bytes
asks("cat *.txt", "is not open to tools", there={"work/x.txt": "hard:daemon/aster.db"})
asks("cat x.txt", "is not open to tools", there={"work/x.txt": "hard:daemon/aster.db"})
for line in ("cd && ls", "cd - && ls", "cd -P src", "cd src tests", "cd $X && ls", "cd s* && ls", "cd '' && ls"):
    asks(line, "it changes to a folder that is not known")
asks("cd src &>/dev/null && cat ../outside/secret.txt", "sends what is before it to the background")
asks("cd src && ls &>/dev/null && cat ../outside/secret.txt", "sends what is before it to the background")
asks("cd src && cat ../a.txt &>> /dev/null", "sends what is before it to the background")
asks("cd away && cd .. && cat ../secret.txt", "through a link", there={"work/away": "link:BASE/work/src/deep"})
asks("cd away && ls", "through a link", there={"work/away": "link:BASE/work/src"})
asks("cd away && ls", OUTSIDE, there={"work/away": "link:BASE/outside"})
asks("cd src && ls", "CDPATH decides where it changes to", env={"CDPATH": "/"})
reads("cd src && cat ../a.txt", "the folder's own file, if cd went well")
reads("(cd src && cat ../a.txt) && cat a.txt", "each of both where it runs")

# -- secrets and rules -------------------------------------------------------------------------------------------------

for line in (
    *("cat .env", "head .env.local", "grep x id_rsa", "cat server.key", "cat .npmrc", "cat .git/config", "cat .ENV"),
    *("cat .git-credentials", "cat .ssh/config", "cat ./src/../.env", "jq . secrets.json", "sed -n 1p .env"),
    *("awk '{print $1}' .env", "grep -f .env a.txt", "grep --file=.env a.txt", "cat src/.aws/x"),
):
    asks(line, SECRET)
_ENV = {"work/.env": "A=1\n", "work/src/.env": "A=1\n"}
for line in (
    *(
        "cat .e*",
        "cat .??*",
        "cat */.env",
        "cat src/.*",
        "grep -r x .",
        "grep -rn x",
        "grep -r x src",
        "grep -d recurse x .",
    ),
    *(
        "grep --directories=recurse x .",
        "grep -r x . --include='*'",
        "grep -r x . --include='.en\\v'",
        "diff src tests",
    ),
    *("grep -r x . --include='*[/].env'", "grep -r x . --exclude=zzz --include='*.py'", "rg x --hidden", "rg -. x"),
    *("rg -uu x", "rg x -g '.env'", "rg x -g '*env'", "rg x --iglob=.ENV", "rg x -g '*.{py,env}'", "rg x -t docker"),
    *(
        "rg x -g '.en[v]'",
        "rg x -g '!zzz' -g '.*'",
        "rg x -g '**/.env'",
        "rg x .env",
        "rg x src/.env",
        "diff a.txt .env",
    ),
    *(
        "rg x --glob='{.env,x}'",
        "rg x --type=sh --type=zsh",
        "diff -r src src/..",
        "grep x . -r",
        "rg -uuu x src",
        "[ -f .env ]",
    ),
):
    asks(line, SECRET, there=_ENV)
reads("rg x", "hidden files are skipped", there=_ENV)
reads("rg x -t py", "hidden files of that type are no secrets", there=_ENV)
reads("rg x -g '*.{py,md}'", "none of these are secrets", there=_ENV)
reads("grep -r x . --include='*.py' --exclude-dir=.git", "the names leave the secrets out", there=_ENV)
reads("ls -la src", "names are no secrets", there=_ENV)
reads("find . -name .env", "names are no secrets", there=_ENV)
asks("cat *.yaml", SECRET, there={"work/secrets.yaml": "a: 1\n"})
asks("cat harmless", SECRET, there={"work/.env": "A=1\n", "work/harmless": "link:.env"})
asks("cat h*", SECRET, there={"work/.env": "A=1\n", "work/harmless": "link:.env"})
asks("grep -xf ../outside/secret.txt a.txt", OUTSIDE)
asks("rg -f /etc/passwd x", OUTSIDE)
asks("rg x", SECRET, there={"work/secrets.yaml": "a: 1\n"})
for name, text in {".ignore": "!.env\n", ".rgignore": "!.*\n", ".gitignore": "\ufeff!.env\n"}.items():
    asks("rg x", SECRET, there={"work/.env": "A=1\n", f"work/{name}": text})
asks("rg x", SECRET, there={"work/src/.env": "A=1\n", "work/.ignore": "#" * 70_000 + "\n!.env\n"})
asks("rg x src", SECRET, there={"work/src/.env": "A=1\n", "work/.ignore": "!.env\n"})
reads("rg x", "git ignores it", there={"work/src/secrets.yaml": "a: 1\n", "work/src/.gitignore": "secrets.yaml\n"})
asks("rg x", SECRET, there={"work/src/secrets.yaml": "a: 1\n", "work/src/.gitignore": "secrets.yaml/\n"})
asks("rg x", SECRET, there={"work/src/secrets.yaml": "a: 1\n", "work/src/.gitignore": "y\u2028secrets.yaml\n"})
asks("rg x", SECRET, there={"work/src/deep/secrets.yaml": "a: 1\n", "work/src/.gitignore": "/secrets.yaml\n"})
_IGNORED = {"work/.gitignore": "secrets.yml\n", "work/src/secrets.yml": "a: 1\n"}
reads("rg x src", "git ignores it", there=_IGNORED)
for line in ("rg --no-ignore x", "rg -u x", "rg --no-ignore-parent x src", "rg --no-ignore-vcs x src", "grep -r x ."):
    asks(line, SECRET, there=_IGNORED)
asks("rg x", SECRET, there={**_IGNORED, "work/src/.git/HEAD": "x"})  # a repository of its own
asks("rg x src", SECRET, there={**_IGNORED, "work/src/.git/HEAD": "x"})
asks("rg x", SECRET, there={**_IGNORED, "work/.git": "gone:"})
asks("rg x", "is not a file", there={"work/.ignore": "link:/dev/zero"})
asks("rg x", "is not a file", there={"work/src/.gitignore": "fifo:"})
reads("rg x", "an ignore file that is not there", there={"work/.ignore": "link:missing"})
asks("ruby --version", "is a script", there={"bin/ruby": "#!/bin/sh\n"})
asks("rg x", "too many files", there={f"work/many/{number}/x": "" for number in range(10_001)})
asks("cat many/*", "very many files", there={f"work/many/{number}": "" for number in range(2_001)})
_DENIED: dict[str, Denies] = {
    "cat a.txt": (("read_file", "exact", "BASE/work/a.txt"),),
    "cat a.*": (("read_file", "exact", "BASE/work/a.txt"),),
    "cat src/main.py": (("read_file", "beneath", "BASE/work/src"),),
    "cat src/*.py": (("run_command", "beneath", "BASE/work/src"),),
    "ls src": (("list_dir", "beneath", "BASE/work/src"),),
    "ls": (("*", "any", ""),),
    "cd src && ls": (("*", "beneath", "BASE/work/src"),),
}
for line, rules in _DENIED.items():
    asks(line, "Your rule denies", denies=rules)
for line in ("grep -r x .", "rg x", "ls -R", "find .", "tree", "du", "git log -p", "git grep x"):
    asks(line, "a rule denies", denies=(("read_file", "beneath", "BASE/work/src"),))
asks("rg x", "a rule denies", denies=(("search_files", "exact", "BASE/work/src/main.py"),))
_HARD = {"work/c": "hard:outside/secret.txt"}
asks("cat c", "hard link", there=_HARD, denies=(("*", "beneath", "BASE/outside"),))
asks("cat c*", "hard link", there=_HARD, denies=(("*", "beneath", "BASE/outside"),))
asks("grep -r x .", "hard link", there=_HARD, denies=(("*", "beneath", "BASE/outside"),))
asks("grep -r x .", "is Aster's own data", there={"work/c": "hard:daemon/aster.db"})
asks("cat c", "Your rule denies", there={"work/c": "link:a.txt"}, denies=(("*", "exact", "BASE/work/a.txt"),))
reads("cat a.txt", "the rule is for another file", denies=(("read_file", "exact", "BASE/work/b.txt"),))
reads("cat a.txt", "the rule is for another tool", denies=(("write_file", "any", ""),))

# -- names of files that look like something else ----------------------------------------------------------------------

for name, line in {
    "-n": "cat *",
    "-f..": "grep x *",
    "--compress-program=x": "sort *",
    "--output=x": "git diff *",
    "-l": "wc -l a.txt",
}.items():
    asks(line, "looks like an option", there={f"work/{name}": "x\n"})
asks("find *", "looks like an option", there={"work/-delete": "x\n"})
asks("strings *", "further arguments from a file", there={"work/@x": "/etc/passwd\n"})
asks("cat -- -n out", OUTSIDE, there={"work/out": "link:BASE/outside/secret.txt"})
reads("cat *.txt", "a name with a newline is one word", there={"work/a\nb.txt": "x\n"})
reads("cat -- a.txt", "after -- there are only operands")
