"""Lines that coding agents write all day, and that run unasked."""

from __future__ import annotations

from tests.tools.commands.cases import Case

_LINES = r"""
ls
ls -la
ls -lah src
ls -R src
ls -1 src/*.py
ls src tests 2>/dev/null
ls -la && git status
ls | head -20
pwd
pwd && ls -la
tree
tree -L 2
tree -a -I 'node_modules|.git' -L 3
cat a.txt
cat README.md package.json
cat -n src/main.py
cat src/main.py | head -50
cat 'with space.txt'
cat "with space.txt"
cat with\ space.txt
cat a.txt 2>/dev/null || echo "missing"
cat < a.txt
cat package.json | jq .
cat data.json | jq -r '.scripts | keys[]'
head -20 README.md
head -n 40 src/main.py
head -c 200 a.txt
tail -20 README.md
tail -n +10 src/main.py
tail -n 5 a.txt | cat
sed -n '1,80p' src/main.py
sed -n '10,20p;30p' src/main.py
sed -n '/def main/,/pass/p' src/main.py
sed -n 5p a.txt
sed -n '$=' a.txt
sed 's/one/two/g' a.txt
sed '/^$/d' README.md
cat a.txt | sed 's/^/  /'
sed -n '1,5p;5q' a.txt
sed -e 's/a/b/' -e '1d' a.txt
sed -E 's/[a-z]+ ([0-9]+)/\1/' a.txt
awk '{print $1}' a.txt
awk -F: '{print $1, $2}' a.txt
awk 'NR==5' a.txt
awk 'NR>=10 && NR<=20 {print}' src/main.py
awk -F'\t' '$2 > 3 {print $1" "$NF}' a.txt
awk '/TODO/ {print FILENAME": "$0}' src/main.py
ls -l | awk '{print $5, $9}'
grep TODO README.md
grep -n 'def main' src/main.py
grep -rn TODO src
grep -rn "def " --include='*.py' .
grep -rn "def " . --include="*.py" --include=*.md
grep -rnE 'import|from' --include='*.py' src tests
grep -rl helper src
grep -rn TODO . --exclude-dir=node_modules --exclude-dir=.git
grep -c one a.txt
grep -A 3 -B 2 main src/main.py
grep -v '^#' README.md
grep -i -w todo README.md | wc -l
grep -rn "TODO" src | head -20
grep -rn TODO src | grep -v test | sort
rg TODO
rg -n 'def ' src
rg TODO -g '*.py'
rg -t py 'def '
rg --files
rg --files | head -20
rg -l helper
rg -n -A 2 -B 2 main src
rg -i "todo|fixme" --glob '!node_modules'
rg foo src/ -C 3
rg --files -g '*.md' | wc -l
find . -name '*.py'
find . -name "*.py" | head -20
find src -type f
find . -type f -name '*.md' -not -path './node_modules/*'
find . -maxdepth 2 -type d
find . \( -name '*.py' -o -name '*.md' \) -print
find . -name node_modules -prune -o -type f -print
find src -name '*.py' -newer a.txt
find . -type f | wc -l
find . -name '*.py' 2>/dev/null | sort | head -5
wc -l a.txt
wc -l src/*.py
cat a.txt | wc -l
sort a.txt
sort a.txt | uniq -c
sort a.txt | uniq -c | sort -rn | head -10
sort -t: -k2 -n a.txt
sort -u a.txt b.txt
uniq -c a.txt
cut -d: -f1 a.txt
cut -d ',' -f 1,2 a.txt
tr a-z A-Z < a.txt
cat a.txt | tr '\n' ' '
diff a.txt b.txt
diff -u a.txt b.txt
diff -rq src tests
diff -u a.txt b.txt | head -40
comm -12 a.txt b.txt
cmp a.txt b.txt
nl -ba src/main.py
od -c a.txt | head
xxd a.txt | head -5
hexdump -C a.txt | head -3
file a.txt
stat a.txt
stat -c '%s %n' a.txt
du -sh .
du -sh * | sort -h
df -h
md5sum a.txt
sha256sum a.txt b.txt
basename src/main.py .py
dirname src/main.py
realpath src/main.py
readlink -f src
which python3
which node npm
command -v git
command -v rg >/dev/null && echo yes
command -v rg &>/dev/null && echo yes || echo no
type ls
jq . package.json
jq -r .name package.json
jq '.items[] | .id' data.json
jq 'keys' data.json
jq '.items | length' data.json
jq -r '.scripts | to_entries[] | "\(.key): \(.value)"' data.json
echo hello
echo "---"
echo "exit: $?"
echo "$HOME"
echo "one" && echo "two"
echo *.md
printf '%s\n' one two
printf 'a\tb\n'
printf '%d items\n' 3
date
date +%Y-%m-%d
date -u +"%Y-%m-%dT%H:%M:%SZ"
uname -a
whoami
id
hostname
ps aux
ps aux | grep node | head
ps -eo pid,comm,%cpu
uptime
free -h
nproc
python3 --version
node --version
git --version
python --version; node --version
[ -f a.txt ] && echo yes
[ -f a.txt ] && cat a.txt || echo none
[ -d src ] && ls src
test -f Makefile && echo found
test -d docs; echo $?
if [ -f a.txt ]; then cat a.txt; else echo no; fi
if [ -f pyproject.toml ]; then cat pyproject.toml; fi
cd src && ls
cd src && cat main.py
cd src && grep -n def *.py
cd src/deep && cat x.py && cd .. && ls
(cd src && ls -la)
cd src; ls
cd src && git log --oneline -5
cd BASE/work && ls
cd "BASE/work" && git status --short
cat BASE/work/a.txt
ls BASE/work/src
git status
git status --short
git status -sb
git status --porcelain
git status -uno
git --no-pager status
git log
git log --oneline -10
git log --oneline --graph --all -20
git log -1 --stat
git log -5 --format='%h %an %s'
git log --since='2 weeks ago' --oneline
git log --oneline main..other
git log --oneline -- src/main.py
git log -p -1
git log -p src/main.py
git log -S helper --oneline
git log --follow --oneline -- a.txt
git --no-pager log --oneline -5
git diff
git diff --stat
git diff --cached
git diff HEAD~1
git diff HEAD~1 HEAD
git diff HEAD~1 -- src
git diff --name-only HEAD~1
git diff main...other
git diff -U10 src/main.py
git diff -w
git diff a.txt | head -50
git diff -- . ':!package-lock.json'
git diff -- . ':(exclude)package-lock.json'
git show
git show HEAD
git show --stat HEAD
git show HEAD:src/main.py
git show HEAD~1 --name-only
git show v1:a.txt | head -5
git blame src/main.py
git blame -L 1,5 src/main.py
git branch
git branch -a
git branch -vv
git branch --show-current
git branch --list 'o*'
git tag
git tag -l 'v*'
git remote -v
git rev-parse HEAD
git rev-parse --abbrev-ref HEAD
git rev-parse --show-toplevel
git ls-files
git ls-files | wc -l
git ls-files '*.py'
git ls-tree -r HEAD --name-only
git grep -n TODO
git grep -n 'def ' -- '*.py'
git stash list
git describe --tags --always
git shortlog -sn HEAD
git reflog -5
git merge-base main other
git cat-file -p HEAD
git rev-list --count HEAD
git for-each-ref --sort=-committerdate refs/heads
git worktree list
git check-ignore node_modules
git symbolic-ref --short HEAD
git -C src log --oneline -3
git status && git diff --stat && git log --oneline -3
git diff --stat; git log --oneline -3
seq 1 5
sleep 1
true
ls -la # what is here
LC_ALL=C sort a.txt
TZ=UTC date
TZ=Europe/Paris date
NO_COLOR=1 ls
ls; echo "---"; cat a.txt
ls missing || true
! grep -q four a.txt && echo no
ls -la | grep -v node | awk '{print $9}'
wc -l < a.txt
cat a.txt > /dev/null
cat a.txt 2>&1 | head
ls >/dev/null 2>&1 && echo ok
grep -q one a.txt && exit 0
cat $HOME/../work/a.txt
"""

ORDINARY = [Case(line, "reads", "an ordinary line") for line in _LINES.strip("\n").split("\n")]
