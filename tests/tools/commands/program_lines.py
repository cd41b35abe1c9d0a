"""Traps of programs: options that write, run others or read other files, and the languages within arguments."""

from __future__ import annotations

from tests.tools.commands.tables import OPTION, OUTSIDE, SECRET, asks, lines_of, reads

for line in lines_of(r"""
ls -L .
ls --dereference
ls -D
ls --colo
tree -o x
tree -R -L 1 -H . -o x
tree --fromfile a.txt
tree -l
tree --infofile a.txt
stat --format-from=x a.txt
du -L .
du --files0-from=a.txt
du --exclude-from=a.txt
du -X a.txt .
df --sync
file -f a.txt
file -m a.txt a.txt
file -C -m a.txt
file -z a.txt
file -p a.txt
file --files-from a.txt
file -S a.txt
wc --files0-from=a.txt
wc a.txt -Z
head --follow a.txt
tail -f a.txt
tail -F a.txt
tail --follow a.txt
tail --pid=1 -f a.txt
cut --files a.txt
sort -o x a.txt
sort -ox a.txt
sort -uo x a.txt
sort --output=x a.txt
sort --outp=x a.txt
sort --compress-program=./x a.txt
sort --compress-prog=./x a.txt
sort --files0-from=a.txt
sort -T . a.txt
sort --random-source=a.txt a.txt
sort -S 1 a.txt
uniq --zero a.txt x
column -R -s /etc/passwd
column -n -s /etc/passwd
fmt -p /etc/passwd
fmt -t -w /etc/passwd
hexdump -f a.txt a.txt
hexdump -e x a.txt
xxd -r a.txt
xxd -ar a.txt
xxd -revert a.txt
strings -T x a.txt
strings -d a.txt
cmp --options a.txt
diff -D X a.txt b.txt
diff -l a.txt b.txt
diff --paginate a.txt b.txt
diff -X a.txt src tests
diff --from-file=a.txt b.txt
diff --to-file=a.txt b.txt
md5sum -c a.txt
sha256sum --check a.txt
sed -i 1d a.txt
sed -n -i p a.txt
sed -ni p a.txt
sed -i.bak p a.txt
sed --in-place p a.txt
sed --in-p p a.txt
sed -s p a.txt
sed -f a.txt b.txt
sed --file=a.txt b.txt
sed -l 5 p a.txt
grep -R x .
grep --dereference-recursive x .
grep -O x a.txt
grep -S -R x .
grep --exclude-from=a.txt x a.txt
grep --fil=a.txt x
grep --rec x
grep -p x a.txt
rg --pre ./x y
rg --pre=./x y
rg --pre-glob '*' x
rg --hostname-bin ./x y
rg -z x
rg --search-zip x
rg -L x
rg --follow x
rg -nL x
rg --ignore-file a.txt x
rg --type-add 'x:*' x
rg --hyperlink-format x y
rg --generate man
jq -f a.txt data.json
jq --from-file a.txt data.json
jq -L . . data.json
jq --slurpfile x a.txt . data.json
jq --rawfile x a.txt . data.json
jq --argfile x a.txt . data.json
jq --args . data.json
jq --arg x y . data.json
awk -f a.txt
awk -v x=1 '{print}' a.txt
awk -i inplace '{print}' a.txt
date -s now
date -f a.txt
date -r a.txt
date --set=now
date --file=a.txt
hostname -F a.txt
hostname -b x
arch -x86_64 ls
ps -O environ
ps -E
pgrep -F a.txt
tac -X a.txt
nproc --x
id --context -Z
readlink --x a.txt
realpath --relative-to=/ a.txt
basename --x a.txt
od --x a.txt
printf --x y
comm --output-delimiter=x a.txt b.txt
join -t x -Z a.txt b.txt
paste --x a.txt
nl --x a.txt
shasum -c a.txt
which --read-alias ls
cal -Z
free -s 1
uname -Z
lsblk -o NAME
df --output=x
expand --x a.txt
fold --x a.txt
cksum -c a.txt
"""):
    asks(line, OPTION)
asks("tree --timefmt ../outside", OUTSIDE)
reads("od -c -w8 a.txt", "the value follows in the same word")
asks("od -w /etc/passwd", OUTSIDE)
asks("od -c -w ../outside/secret.txt", OUTSIDE)
for line in (
    "head a.txt -n /etc/passwd",
    "grep x a.txt -e /etc/passwd",
    "sort a.txt -t /etc/passwd",
    "cut -f1 a.txt -d /x",
):
    asks(line, OUTSIDE)  # some programs take what follows the first operand as operands
reads("grep -n x src/main.py -A 3", "the value is no file outside")
reads("cut -d / -f 1 a.txt", "the value of an option before the operands")
for line in ("uniq a.txt x", "uniq -c a.txt x", "uniq -c -- a.txt x", "uniq - x", "xxd a.txt x", "xxd -p -- a.txt x"):
    asks(line, "may write to `x`")
asks("uniq *.txt", "may write to")
asks("uniq a.txt -c", "may take `-c` as a file")
asks("xxd a.txt -p", "may take `-p` as a file")
for line in ("strings @a.txt", "strings -n @a.txt a.txt", "strings -- @a.txt"):
    asks(line, "further arguments from a file")
for line in ("hostname evil", "arch evil", "whoami evil", "pwd evil", "uname evil", "uptime evil"):
    asks(line, "gets `evil`")
asks("date 0101000026", "it may set the clock")
asks("date +%s 01010000", "it may set the clock")
for line in ("ps auxe", "ps axe", "ps e"):
    asks(line, "its operands are not known")
for columns in ("pid,environ -A", "environ", "pid=X,environ=Y", "'pid environ'", "environ:20"):
    asks(f"ps -o {columns}", "its columns are not known")
reads("ps -eo pid=,comm=NAME,args:50", "columns without environments")
asks("diff -r src link", OUTSIDE, there={"work/link/x": "link:BASE/outside/secret.txt"})
asks("diff -rN src link", "is a link to a folder", there={"work/link/x": "link:BASE/work/docs"})
asks("diff a.txt ../outside/secret.txt", OUTSIDE)
asks("diff a.txt .env", SECRET)

# -- find --------------------------------------------------------------------------------------------------------------

for action in lines_of(r"""
-delete
-exec rm '{}' +
-exec rm '{}' \;
-execdir ls \;
-ok rm \;
-okdir rm \;
-fprint x
-fprint0 x
-fprintf x y
-fls x
-files0-from x
-D x
-newermt x
-f x
-name
-depth 2
"""):
    asks(f"find . {action}", "`find` with")
    asks(f"find . -type f -a {action}", "`find` with")
for line in ("find -L . -name x", "find -H out", "find -O3 .", "find -files0-from x", "find -d ../outside", "find ''"):
    asks(line, OPTION)
for line in ("find .. -name x", "find / -name x", "find src .. -name x", "find . -newer ../outside/secret.txt"):
    asks(line, OUTSIDE)
asks("find . -samefile /etc/passwd", OUTSIDE)
for line in ("find . -name *.py", "find . -name $X", "find . $X"):
    asks(line, "the expression of `find` is known only when it runs")
asks("find out", OUTSIDE, there={"work/out": "link:BASE/outside"})
asks("find $X", "")
reads("find . -name '-delete' -printf '%p\\n'", "a name and a format")

# -- sed, awk and jq ---------------------------------------------------------------------------------------------------

_SCRIPT = "its script may do more than print lines"
for line in lines_of(r"""
sed -n '1w x' a.txt
sed 's/a/b/w x' a.txt
sed 's/a/b/gw x' a.txt
sed 's/a/touch x/e' a.txt
sed '1e touch x' a.txt
sed e a.txt
sed '1r ../outside/secret.txt' a.txt
sed 'R x' a.txt
sed 'W x' a.txt
sed '$!N' a.txt
sed -n '/x/{p;w x' a.txt
sed -n '/x/{w x' -e '}' a.txt
sed -n 'p;w x' a.txt
sed -n -e p -e 'w x' a.txt
sed -n '/[/]/w x/p' a.txt
sed -n 's/x/y/;w x' a.txt
sed 's|a|b|w x' a.txt
sed 's,a,b,e' a.txt
sed 's/[/a/;s/x/]b/;s/w out/y/' a.txt
sed 's/a\/w x/b/e' a.txt
sed 's/\c/e/e' a.txt
sed 's/a/b/M' a.txt
sed 'y/a/b/;w x' a.txt
sed -n "p;w x" a.txt
sed 's/a/b/m;e' a.txt
sed --expression='w x' a.txt
sed -e 'w x' a.txt
sed a\ x a.txt
sed 'i\x' a.txt
sed ':a;N;ba;w x' a.txt
sed '' a.txt
sed
"""):
    asks(line, _SCRIPT)
asks("sed -n '1p\nw x' a.txt", _SCRIPT)
for text in lines_of(
    r"""
{system("id")}
{print > "x"}
{print >> "x"}
{print $1 > $2}
{print | "sh"}
{"id" | getline}
{getline < "/etc/passwd"; print}
{print ENVIRON["X"]}
{close("x")}
{printf "x" > "y"}
{print "\"" > "x"}
{print $1}; {print > "x"}
{print}{system($0)}
/x/ {print} END {system("id")}
{$0=system("id")}1
BEGIN{while(1){}}
@load "x"
@include "x"
{print $(system("id"))}
/[/]/{system("id")}#/
{print "a" "b" > "x"}
{print "\\" > "x" "\\"}
"""
):
    asks(f"awk '{text}' a.txt", "its program may do more than print fields")
asks("awk", "its program may do more than print fields")
asks("awk '{print}' /etc/passwd", OUTSIDE)
asks("awk '{print}' ../outside/secret.txt", OUTSIDE)
asks("awk '{print}' a.txt -f b.txt", "may take `-f` as a file")
reads("awk '{print \"a > b | c\"}' a.txt", "within a text of the program")
_FILTER = "its filter does more than select"
for text in ("env", "$ENV", "$ENV.PATH", 'import "x" as x; .', 'include "x"; .', "input", "inputs", "$__prog_args"):
    asks(f"jq '{text}' data.json", _FILTER)
asks("jq -n 'env.PATH'", _FILTER)
asks("jq '.a | @sh' data.json", _FILTER)
asks("jq '.a; modulemeta' data.json", _FILTER)
asks("jq '\"\\(env)\"' data.json", _FILTER)
asks("jq . ../outside/secret.txt", OUTSIDE)
asks("jq . data.json /etc/passwd", OUTSIDE)
