"""Which programs of a line a person may always allow with other arguments, and which arguments are never covered."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from aster_sidecar.policy.programs import value_of
from aster_sidecar.tools.commands.named_programs import canonical
from aster_sidecar.tools.commands.program_scopes import judged
from aster_sidecar.tools.commands.project_rows import PROJECTS
from tests.tools.commands.cases import Case, build, place

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cmd.exe runs lines there, and every line asks")


class Line(NamedTuple):
    """A command line. `needs`: its programs, separated by " + ", each with its folder before ":"; None: not covered."""

    line: str
    needs: str | None
    why: str


CODE = "it would run other code"
OUT = "it would use what is outside of the folder"
MORE = "another command rides along"
KEPT = "a usual call"
LATER = "other programs run what it changes"
SECRETS = "it would read secrets"
FETCH = "it would fetch a package by its name"

USUAL = [
    "chmod +x run.sh",
    *("npm test", "npm t", "npm start", "npm run build", "npm run-script lint:fix", "npm ci", "npm install", "npm i"),
    *("npm run build --workspaces --if-present", "npm test --workspace pkg", "npm --silent test", "npm test -w pkg"),
    *("pnpm test", "pnpm -r test", "pnpm run build", "pnpm install --frozen-lockfile", "pnpm i --offline"),
    *("yarn", "yarn install --immutable", "yarn test", "yarn run build", "yarn --silent test"),
    *("bun test", "bun test --bail --timeout 500", "bun run build", "bun install --frozen-lockfile"),
    *("tsc", "tsc --noEmit", "tsc -p tsconfig.build.json --noEmit", "tsc --project packages/app --noEmit"),
    *("cargo build", "cargo build --release -j4", "cargo check --workspace", "cargo run --bin app", "cargo bench"),
    *("cargo test -p x name -- --nocapture", "cargo t a::b", "cargo doc", "cargo fmt --all --check"),
    *("cargo clippy --all-targets -- -D warnings", "cargo -q test", "cargo test --features a,b"),
    *("go test ./... -run X -v", "go build ./cmd/...", "go vet ./...", "go fmt ./...", "go mod tidy"),
    *("go test -race -count=1 ./a/b", "go test -bench '.*' -benchmem ."),
    *("make", "make test", "make -j4 test", "make -k lint", "make -n test"),
    *("cmake --build build -j4 --target test", "cmake --build cmake-build-debug/x --config Debug"),
    *("ctest --test-dir build -j4 --output-on-failure", "ctest -R name"),
    *("mvn -q test", "mvn clean verify", "mvn -B package", "gradle test", "gradle -q app:test --offline"),
    *("dotnet build -c Release", "dotnet test --filter Name=x --no-build", "dotnet restore"),
    *("pytest", "pytest tests/test_a.py::test_b -x -q", "pytest -k 'a and not b' -m slow -n 4 --maxfail=1"),
    *(
        "pytest --cov=src --cov-report=term-missing tests",
        "pytest --tb short --lf",
        "pytest --cov-report html --cov src",
    ),
    *("ruff check --fix src", "ruff format src", "ruff check --select E,F --output-format concise src"),
    *("black src", "black --check -l 100 src", "isort src", "isort --profile black src", "flake8 src"),
    *("mypy src", "mypy -p pkg --strict", "pyright src", "pyright"),
    *("pip install -r requirements.txt", "pip install -U -r requirements/dev.txt", "pip install -e ."),
    *("uv sync", "uv sync --frozen --all-extras"),
    *("git add -A", "git add a.txt src", "git commit -m 'fix: x'", "git commit -am x", "git commit --amend --no-edit"),
    *("git stash", "git stash push -u", "git stash pop", "git switch other", "git switch -c new", "git switch -"),
    *("git fetch", "git fetch --prune --tags", "git --no-pager commit -m x"),
    *("mkdir -p a/b", "touch new.txt", "cp a.txt c.txt", "cp a.txt b.txt src", "mv a.txt c.txt", "mv a.txt src/"),
    *("rm a.txt", "rm -f a.txt nothing.txt", "rm *.txt"),
    # With BSD's sed, -i takes the next word.
    *(("sed -i 's/one/1/' a.txt", "sed -i -E '/x/d' a.txt b.txt") if sys.platform == "linux" else ()),
    *("eslint --fix src", "eslint 'src/**/*.{ts,tsx}'", "eslint --max-warnings 0 src"),
    *("prettier --write src", "prettier --check .", "prettier -w 'src/**/*.ts'"),
]
"""Calls as they are, which are covered; the name is the program with its subcommand."""

WITHOUT_SUBCOMMAND = frozenset(name for name, rows in PROJECTS.items() if set(rows) == {""})


def _name(line: str) -> str:
    """The name under which a usual call is remembered: the program, and its first word that is no option."""
    program, *rest = line.split(" ")
    words = [word for word in rest if not word.startswith("-")]
    if program == "sed":
        return "sed -i"
    if program in WITHOUT_SUBCOMMAND or not words:
        return program
    two = words[0] in ("run", "run-script", "mod") and program != "cargo"
    return " ".join([program, *words[: 2 if two else 1]])


TRAPS = [
    # several commands
    Line('git add -A && git commit -m "a b"', "git add + git commit", KEPT),
    Line("cd pkg && npm test 2>&1 | tail -20", "pkg:npm test", KEPT),
    Line("cd pkg; npm test", "npm test + pkg:npm test", "the shell may still be in the first folder"),
    Line("(cd pkg && npm test) && npm test", "pkg:npm test + npm test", KEPT),
    Line("npm test && cat a.txt", "npm test", "the other command only reads"),
    Line("npm test > /dev/null 2>&1 || echo failed", "npm test", KEPT),
    Line("CI=1 npm test", "npm test", KEPT),
    Line("RUST_BACKTRACE=1 cargo test", "cargo test", KEPT),
    Line("if npm test; then git commit -m x; fi", "npm test + git commit", KEPT),
    Line("npm test; curl x", None, MORE),
    Line("npm test && npx x", None, MORE),
    Line("npm test & rm -rf x", None, MORE),
    Line("npm test | sh", None, MORE),
    Line("npm test $(rm -rf x)", None, MORE),
    Line("npm test `curl x`", None, MORE),
    Line("npm test\ncurl x", None, MORE),
    Line("! curl x || npm test", None, MORE),
    Line("(curl x); npm test", None, MORE),
    Line("npm test <(curl x)", None, MORE),
    Line("f() { curl x; }; f; npm test", None, MORE),
    Line("npm test | tee out.txt", None, "`tee` writes"),
    Line("npm test > out.txt", None, "it writes a file, which may be code"),
    Line("npm test >> ~/.bashrc", None, LATER),
    Line("npm test < BASE/outside/secret.txt", None, OUT),
    Line("npm test && cat BASE/outside/secret.txt", None, OUT),
    Line("npm test && cat .env", None, SECRETS),
    Line('git commit -m "$(cat .env)"', None, SECRETS),
    Line('npm test "$X"', None, "the arguments are not known"),
    Line("$X test", None, "the program is not known"),
    Line("np* test", None, "the program is not known"),
    Line("./npm test", None, CODE),
    Line("BASE/outside/npm test", None, CODE),
    Line("BASE/bin/npm test", "npm test", "this is where programs are"),
    Line("NODE_OPTIONS=--require=./x npm test", None, CODE),
    Line("PATH=. npm test", None, CODE),
    Line("GIT_DIR=x git commit -m x", None, OUT),
    Line("LD_PRELOAD=./x make", None, CODE),
    Line("CI=$X npm test", None, "the value is not known"),
    Line("TERM=../x npm test", None, OUT),
    # folders, and what a command of the line changes before the next one
    Line("mkdir nope && cd nope && npm test", None, "the line makes the folder in which it runs"),
    Line("cd nope; npm test", None, "it is not known where it runs"),
    Line("(sleep 1; cd nope && npm test) & mkdir nope", None, "the line makes the folder in which it runs"),
    Line("cd ../outside && npm test", None, OUT),
    Line("cd linked && npm test", None, "a link leads elsewhere"),
    Line("cd pkg && rm ../a.txt", None, "a rule for pkg is for pkg"),
    Line("cd pkg && touch x", "pkg:touch", KEPT),
    Line("git switch other && npm test", "git switch + npm test", KEPT),
    Line("git switch other && cat a.txt", None, "the file is a link on the other branch, for example"),
    Line("git switch other && rm a.txt", None, "the file is in a linked folder on the other branch, for example"),
    Line("git switch other && grep -r x .", None, "there are other files on the other branch"),
    Line("git stash pop && cat *.md", None, "there are other files then"),
    Line("(sleep 1; cat a.txt) & git switch other", None, "it runs at the same time"),
    Line("git stash && npm test 2>&1 | tail -5", "git stash + npm test", KEPT),
    # package managers of JavaScript
    Line("npm test -- --config=../x", None, CODE),
    Line("npm test -- a", None, CODE),
    Line("npm test a", None, CODE),
    Line("npm --prefix ../x test", None, CODE),
    Line("npm test --prefix=../x", None, CODE),
    Line("npm test -C ../x", None, CODE),
    Line("npm test -wC=x", None, "npm reads -wC as --workspace and --prefix"),
    Line("npm test -w ../x", None, OUT),
    Line("npm test -w @x/y", None, "words that begin with @ are not covered for any program"),
    Line("npm test --script-shell=./x", None, CODE),
    Line("npm test --node-options=--require=x", None, CODE),
    Line("npm test --ignore-scripts=false --userconfig x", None, CODE),
    Line("npm run ../x", None, OUT),
    Line("npm exec x", None, FETCH),
    Line("npm x y", None, FETCH),
    Line("npm install lodash", None, FETCH),
    Line("npm i -g", None, OUT),
    Line("npm ci --prefix ../x", None, OUT),
    Line("npm publish", None, "there is no row for it"),
    Line("npx jest", None, FETCH),
    Line("pnpm test --reporter=./x", None, "what follows goes to the script"),
    Line("pnpm test -r", None, "what follows goes to the script"),
    Line("pnpm -C ../x test", None, OUT),
    Line("pnpm dlx x", None, FETCH),
    Line("pnpm add x", None, FETCH),
    Line("pnpm exec x", None, CODE),
    Line("yarn test --config x", None, "what follows goes to the script"),
    Line("yarn --cwd ../x test", None, OUT),
    Line("yarn add x", None, FETCH),
    Line("yarn dlx x", None, FETCH),
    Line("yarn jest", None, CODE),
    Line("bun test --preload ./x", None, CODE),
    Line("bun run ../x.ts", None, OUT),
    Line("bun run /x.ts", None, OUT),
    Line("bun run build --x", None, "what follows goes to the script"),
    Line("bun x y", None, FETCH),
    Line("tsc -p other.json", None, "another configuration"),
    Line("tsc -p ../x", None, OUT),
    Line("tsc --outDir ../x", None, OUT),
    Line("tsc @options", None, "the options are in a file"),
    Line("tsc --build", None, "there is no row for it"),
    Line("eslint -c x.js src", None, CODE),
    Line("eslint --rulesdir x src", None, CODE),
    Line("eslint --plugin x src", None, CODE),
    Line("eslint -f ./x.js src", None, CODE),
    Line("eslint -o ../x src", None, OUT),
    Line("eslint --resolve-plugins-relative-to x src", None, CODE),
    Line("eslint '{src,../..}/**'", None, "eslint expands the braces"),
    Line("eslint '@(.)(.)/x'", None, "eslint expands the pattern"),
    Line("eslint ../outside", None, OUT),
    Line("eslint --fix .vscode/x.js", None, LATER),
    Line("prettier src", None, "it prints the files"),
    Line("prettier --write '{a,../outside}/*'", None, "prettier expands the braces"),
    Line("prettier --write --plugin=./x src", None, CODE),
    Line("prettier --write --config x src", None, "another configuration"),
    Line("prettier --write ../outside", None, OUT),
    Line("prettier --write .github/x.yml", None, LATER),
    # compilers and build tools
    Line("cargo +nightly test", None, CODE),
    Line("cargo build --config x", None, CODE),
    Line("cargo --config x build", None, CODE),
    Line("cargo build --manifest-path ../Cargo.toml", None, OUT),
    Line("cargo build --target-dir ../x", None, OUT),
    Line("cargo -Z x build", None, CODE),
    Line("cargo run -- x", None, CODE),
    Line("cargo test -- --logfile ../x", None, OUT),
    Line("cargo clippy -- -C linker=x", None, CODE),
    Line("cargo clippy -- @x", None, "the options are in a file"),
    Line("cargo fmt -- --config-path x", None, "another configuration"),
    Line("cargo install x", None, FETCH),
    Line("cargo xtask", None, "an alias, or another program"),
    Line("go test -exec x ./...", None, CODE),
    Line("go test --exec=x ./...", None, CODE),
    Line("go build -toolexec=x ./...", None, CODE),
    Line("go build -o ../x .", None, OUT),
    Line("go vet -vettool=x ./...", None, CODE),
    Line("go test ../...", None, OUT),
    Line("go test ./..", None, OUT),
    Line("go test ./linked/...", None, OUT),
    Line("go test example.com/x", None, FETCH),
    Line("go test all", None, OUT),
    Line("go build -overlay=x .", None, CODE),
    Line("go build -modfile=x .", None, CODE),
    Line("go test . -args x", None, CODE),
    Line("go test -coverprofile=../x .", None, OUT),
    Line("go run .", None, "there is no row for it"),
    Line("go generate", None, "there is no row for it"),
    Line("go install example.com/x@latest", None, FETCH),
    Line("make -f x", None, CODE),
    Line("make -fx test", None, CODE),
    Line("make -C ../x", None, OUT),
    Line("make SHELL=./x", None, CODE),
    Line("make test CC=./x", None, CODE),
    Line("make --eval=x", None, CODE),
    Line("make -E x", None, CODE),
    Line("make -I ../x", None, CODE),
    Line("make -jf", None, "the number of jobs is no number"),
    Line("make ../x", None, OUT),
    Line("make test other", None, "another target"),
    Line("cmake -P x.cmake", None, CODE),
    Line("cmake -E env x", None, CODE),
    Line("cmake -S . -B ../x", None, OUT),
    Line("cmake --build ../x", None, OUT),
    Line("cmake --build src", None, "the folder may have other commands"),
    Line("cmake --build build --target SHELL=./x", None, "make reads it as a variable"),
    Line("cmake --build build --target -fx", None, "make reads it as an option"),
    Line("cmake --build build -- SHELL=x", None, CODE),
    Line("ctest -S x", None, CODE),
    Line("ctest --build-and-test a b", None, CODE),
    Line("ctest --test-dir src", None, "the folder may have other commands"),
    Line("mvn test deploy", None, "another goal"),
    Line("mvn test exec:exec", None, CODE),
    Line("mvn exec:java", None, CODE),
    Line("mvn org.example:plugin:1.0:run", None, FETCH),
    Line("mvn test -Dexec=x", None, CODE),
    Line("mvn -f ../x test", None, OUT),
    Line("mvn test -s x", None, "another configuration"),
    Line("gradle -I x test", None, CODE),
    Line("gradle -p ../x test", None, OUT),
    Line("gradle test publish", None, "another task"),
    Line("gradle test -Px=y", None, CODE),
    Line("./gradlew test", None, CODE),
    Line("dotnet build -p:OutDir=../x", None, OUT),
    Line("dotnet build -cp:OutDir=x", None, "dotnet may read it as two options"),
    Line("dotnet test --filter @x.rsp", None, "the options are in a file"),
    Line("dotnet build ../x", None, OUT),
    Line("dotnet test --settings x", None, CODE),
    Line("dotnet run", None, "there is no row for it"),
    # Python
    Line("pytest -p x", None, CODE),
    Line("pytest -c x.ini", None, "another configuration"),
    Line("pytest --rootdir=../x", None, OUT),
    Line("pytest --confcutdir=/", None, CODE),
    Line("pytest -o python_files=x", None, "another configuration"),
    Line("pytest ../outside", None, OUT),
    Line("pytest BASE/outside/x.py::test_a", None, OUT),
    Line("pytest link.py::test_a", None, "the link leads outside"),
    Line("pytest linked", None, "the link leads outside"),
    Line("pytest @options", None, "the options are in a file"),
    Line("pytest -k @options", None, "the options are in a file"),
    Line("pytest --pyargs os", None, OUT),
    Line("pytest --junitxml=../x", None, OUT),
    Line("pytest --basetemp=../x", None, OUT),
    Line("pytest --cov=../../x", None, OUT),
    Line("pytest --cov-report html:../x", None, OUT),
    Line("pytest --cov-report=html:../x", None, OUT),
    Line("pytest --cov-config=x", None, "another configuration"),
    Line("pytest -n 2 --tx popen//python=./x", None, CODE),
    Line("ruff check --config x .", None, "another configuration"),
    Line("ruff check @options", None, "the options are in a file"),
    Line("ruff check --select @options src", None, "the options are in a file"),
    Line("ruff check -o ../x src", None, OUT),
    Line("ruff check --add-noqa src", None, "there is no option for it"),
    Line("ruff format ../outside", None, OUT),
    Line("ruff format linking", None, "it would follow the link in the folder"),
    Line("ruff clean", None, "there is no row for it"),
    Line("black --config x src", None, "another configuration"),
    Line("black -c 'x' src", None, "there is no option for it"),
    Line("black linking", None, "a link in the folder leads outside"),
    Line("isort --settings-path ../x src", None, "another configuration"),
    Line("isort linking", None, "isort follows links"),
    Line("flake8 --config x", None, "another configuration"),
    Line("flake8 --output-file=../x", None, OUT),
    Line("mypy --config-file x src", None, CODE),
    Line("mypy --python-executable ./x src", None, CODE),
    Line("mypy @options", None, "the options are in a file"),
    Line("mypy --html-report ../x src", None, OUT),
    Line("mypy --install-types src", None, FETCH),
    Line("pyright -p ../x", None, "another configuration"),
    Line("pyright -", None, "the names of the files come from its input"),
    Line("pyright --pythonpath ./x", None, CODE),
    Line("pip install x", None, FETCH),
    Line("pip install .", None, "there is no row for it"),
    Line("pip install -r https://example.com/requirements.txt", None, FETCH),
    Line("pip install -r ../requirements.txt", None, OUT),
    Line("pip install -r a.txt", None, "this is no list of packages"),
    Line("pip install -e git+https://example.com/x", None, FETCH),
    Line("pip install -e ../x", None, OUT),
    Line("pip install --target ../x -r requirements.txt", None, OUT),
    Line("pip install -i https://example.com -r requirements.txt", None, FETCH),
    Line("pip uninstall x", None, "there is no row for it"),
    Line("python -m pytest", None, CODE),
    Line("uv run x", None, CODE),
    Line("uv sync --project ../x", None, OUT),
    Line("uv pip install x", None, FETCH),
    # git
    Line("git push", None, "there is no row for it"),
    Line("git commit", None, "it opens an editor"),
    Line("git commit -F BASE/outside/secret.txt", None, OUT),
    Line("git commit -m x a.txt", None, "there is no row for it"),
    Line("git -c core.editor=x commit -m x", None, CODE),
    Line("git -c alias.commit=x commit -m x", None, CODE),
    Line("git -C ../outside commit -m x", None, OUT),
    Line("git --git-dir=x commit -m x", None, OUT),
    Line("git --exec-path=. commit -m x", None, CODE),
    Line("git commit -m x --template ../x", None, OUT),
    Line("git add ../outside/secret.txt", None, OUT),
    Line("git add .env", None, SECRETS),
    Line("git add -f node_modules", None, "there is no option for it"),
    Line("git add --pathspec-from-file=x", None, OUT),
    Line("git add -p", None, "it opens an editor"),
    Line("git stash drop", None, "it deletes"),
    Line("git stash clear", None, "it deletes"),
    Line("git stash pop x", None, "there is no row for it"),
    Line("git switch -C main", None, "it moves a branch that there is"),
    Line("git switch -f other", None, "it throws changes away"),
    Line("git switch nope", None, "git makes a branch of what it fetched"),
    Line("git switch -c new origin/x", None, "code of somebody else"),
    Line("git switch --detach v1", None, "there is no row for it"),
    Line("git fetch --upload-pack=./x", None, CODE),
    Line("git fetch ../outside", None, OUT),
    Line("git fetch ext::x", None, CODE),
    Line("cd bare && git commit -m x", None, "the folder is a repository with a configuration of its own"),
    # files
    Line("mkdir ../x", None, OUT),
    Line("mkdir .git/hooks", None, LATER),
    Line("mkdir -m 777 x", None, "there is no option for it"),
    Line("touch .vscode/tasks.json", None, LATER),
    Line("touch -r BASE/outside/secret.txt a.txt", None, OUT),
    Line("cp a.txt .git/hooks/pre-commit", None, LATER),
    Line("cp a.txt .github/workflows/x.yml", None, LATER),
    Line("cp a.txt BASE/home/.bashrc", None, OUT),
    Line("cp .env a.txt", None, SECRETS),
    Line("cp BASE/outside/secret.txt a.txt", None, OUT),
    Line("cp link.py a.txt", None, OUT),
    Line("cp a.txt linked/", None, OUT),
    Line("cp -r src x", None, "it copies all that is in a folder"),
    Line("cp -t .git a.txt", None, LATER),
    Line("cp confs/conf* bare/", None, "the folder is a repository, which gets another configuration"),
    Line("mv a.txt ../x", None, OUT),
    Line("mv src z", None, "links in a folder lead elsewhere then"),
    Line("mv inner z && cat z", None, "a link leads elsewhere then"),
    Line("mv a.txt .envrc", None, LATER),
    Line("mv -- -link z", None, "the file whose name looks like an option is not checked"),
    Line("mv .env x", None, SECRETS),
    Line("rm -r src", None, "it deletes a folder"),
    Line("rm -rf .", None, "it deletes a folder"),
    Line("rm --recursive src", None, "it deletes a folder"),
    Line("rm ../outside/secret.txt", None, OUT),
    Line("rm .git/index", None, LATER),
    Line("rm .env", None, SECRETS),
    Line("rm {a,b}.txt", None, "braces are not the same in every shell"),
    Line("sed -i 's/a/b/e' a.txt", None, CODE),
    Line("sed -i 's/a/b/w x' a.txt", None, "it writes another file"),
    Line("sed -i '1r .env' a.txt", None, SECRETS),
    Line("sed -i -f x a.txt", None, CODE),
    Line("sed -i.bak 's/a/b/' a.txt", None, "the ending may have a path"),
    Line("sed -i 's/a/b/' ../outside/secret.txt", None, OUT),
    Line("sed -i 's/a/b/' .github/workflows/x.yml", None, LATER),
    # what has no row
    Line("python x.py", None, CODE),
    Line("sh -c 'npm test'", None, CODE),
    Line("env npm test", None, CODE),
    Line("timeout 5 npm test", None, CODE),
    Line("xargs npm test", None, CODE),
    Line("curl x", None, "there is no row for it"),
    # chmod
    Line("chmod +x run.sh", "chmod", "a file of the folder"),
    Line("chmod 755 run.sh", "chmod", "a file of the folder"),
    Line("chmod u+x run.sh src/main.py", "chmod", "files of the folder"),
    Line("chmod -R 777 src", None, "recursion"),
    Line("chmod 777 run.sh", None, "writable for others"),
    Line("chmod u+s run.sh", None, "set-user-ID"),
    Line("chmod 4755 run.sh", None, "set-user-ID"),
    Line("chmod +x ../x", None, OUT),
    Line("chmod +x .git/hooks/x", None, LATER),
    Line("chmod +x", None, "no file"),
]

CONFINED = [
    Line("python x.py", "python x.py", "a script"),
    Line("python -m pytest -q", "python -m pytest", "a module"),
    Line("python -m http.server", "python -m http.server", "a module"),
    Line("python -c 'x'", "python -c", "a text"),
    Line("node x.js", "node x.js", "a script"),
    Line("sh -c 'x'", "sh -c", "a text"),
    Line("npx jest a", "npx jest", "the program that it runs"),
    Line("uv run pytest", "uv run pytest", "the program that it runs"),
    Line("npm run build -- --x", "npm run build", "in a sandbox its arguments do no harm"),
    Line("npm install lodash", "npm install", "in a sandbox its arguments do no harm"),
    Line("cargo build --config x", "cargo build", "in a sandbox its arguments do no harm"),
    Line("./script.sh a", "./script.sh", "a program in the folder has its path"),
    Line("../x/script.sh", "../x/script.sh", "it has its path"),
    Line("/usr/bin/make x", "make x", "where the system has programs"),
    Line("BASE/bin/make x", "BASE/bin/make x", "it is not where the system has programs"),
    Line("BASE/outside/npm test", "BASE/outside/npm test", "it is not where the system has programs"),
    Line("npm test > out.txt", "npm test", "a redirection in the folder"),
    Line("npm test >> src/out.txt 2>&1", "npm test", "a redirection in the folder"),
    Line("X=1 npm test", "npm test", "in a sandbox variables do no harm"),
    Line("terraform plan && make", "terraform plan + make", "two programs"),
    Line("rm a.txt", "rm", "its row holds here, too"),
    Line("rm -rf src", None, "its row holds here, too"),
    Line("cp -r src x", None, "its row holds here, too"),
    Line("sed -i 's/a/b/e' a.txt", None, "its row holds here, too"),
    Line("mv a.txt .git/x", None, LATER),
    Line("npm test > ../x", None, OUT),
    Line("npm test > .git/hooks/pre-commit", None, LATER),
    Line("npm test > $X", None, "the file is not known"),
    Line("npm test > *.txt", None, "the file is not known"),
    Line("env X=1 npm test", "npm test", "what the wrapper starts"),
    Line("timeout 5 npm test", "npm test", "what the wrapper starts"),
    Line("nohup nice -n5 make x", "make x", "what the wrappers start"),
    Line("env -i npm test", None, "an option of a wrapper that is not known"),
    Line("timeout $T npm test", None, "a word that is not known"),
    Line("timeout 5 rm a.txt", None, "a row that has not been looked at"),
    Line("python -u x.py", "python x.py", "an option of the interpreter"),
    Line("python manage.py test", "python manage.py test", "a script with subcommands"),
    Line("python manage.py", None, "the subcommand is missing"),
    Line("python", "python", "what it reads"),
    Line("node --test", "node --test", "what it does"),
    Line("node --import ./x.mjs y.js", None, "an option that is not known"),
    Line("python -m", None, "the module is missing"),
    Line("python x.py .env", None, "a file with secrets"),
    Line("npm test -- --env-file=.env", None, "a file with secrets"),
    Line("python -c 'print(open(\".env\").read())'", None, "a file with secrets"),
    Line("env /bin/rm -rf src", None, "a row that has not been looked at"),
    Line("ls | xargs /bin/rm -rf", None, "it deletes what nobody sees"),
    Line("npm test; echo x > src/main.py", None, "a redirection of another command"),
    Line("npm test; X=1 ls", None, "a variable for another command"),
    Line("npm test; LD_PRELOAD=./x.so cat a.txt", None, "a variable for another command"),
    Line("yarn --non-interactive publish", None, "the subcommand is not known"),
    Line("yarn --frozen-lockfile", "yarn", "without a subcommand"),
    Line("make X=1 deploy", None, "the target is not known"),
    Line("make -f other.mk deploy", None, "the target is not known"),
    Line("cmake -E rm -rf src", None, "it deletes"),
    Line("flock l npm test", None, "it runs others"),
    Line("fish x.fish", "fish x.fish", "a script"),
    Line("uv run python x.py", "uv run python x.py", "what the runner starts"),
    Line("npx tsx a.ts", "npx tsx a.ts", "what the runner starts"),
    Line("npx rm -rf x", None, "a row that has not been looked at"),
    Line("pnpm dlx cowsay x", "pnpm dlx cowsay", "what the runner starts"),
    Line("pipx run x y", "pipx run x", "what the runner starts"),
    Line("time npm test", None, "a reserved word"),
    Line("git push origin main", "git push", "it has no network"),
    Line("pnpm --filter web build", "pnpm build", "an option that chooses a package"),
    Line("git -C pkg push", None, "the rule is for its folder"),
    Line("make -C .. clean", None, "the rule is for its folder"),
    Line("git -c alias.x=!y x", None, "an option that is not known"),
    Line("cmake --build build", "cmake --build", "what it does"),
    Line("ls | xargs npm test", "xargs npm test", "arguments that nobody sees"),
    Line("ls | xargs -r -n1 cat", None, "files that nobody sees"),
    Line("awk '{s+=$1} END {print s}' a.txt", "awk", "a language"),
    Line("cat /etc/hostname", None, "outside the folder"),
    Line("dd if=a.txt of=b.txt", None, "it overwrites"),
    Line("kill 1", None, "it ends programs"),
    Line("eval npm test", None, "it runs what its words don't tell"),
    Line("source x.sh && npm test", None, "it changes what names mean"),
    Line("xargs rm", None, "it deletes what nobody sees"),
    Line("find . -delete", None, "it deletes"),
    Line("command rm -rf x", None, "it hides the program"),
    Line("git -c x=y commit", None, "the subcommand is not known"),
    Line("npx -p x y", None, "the program is not known"),
    Line("npm $X", None, "the subcommand is not known"),
    Line("mkdir nope && cd nope && npm test", None, "the line makes the folder in which it runs"),
]


def _folder(base: Path) -> Path:
    build(base)
    for name in (*PROJECTS, "npx", "python", "node", "docker", "terraform", "curl", "tee"):
        (base / "bin" / name).write_text("a program\n")
        (base / "bin" / name).chmod(0o755)
    work = base / "work"
    for name in ("pkg", "linking", "deep/inner", "confs", "bare"):
        (work / name).mkdir(parents=True)
    for name in ("requirements.txt", "options", ".env", "tsconfig.json", "confs/config"):
        (work / name).write_text("x\n")
    (work / "bare" / "HEAD").write_text("ref: refs/heads/main\n")
    return base


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _folder(tmp_path_factory.mktemp("plain").resolve())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with links, some of which lead out of the folder."""
    base = _folder(tmp_path_factory.mktemp("scopes").resolve())
    work = base / "work"
    (work / "link.py").symlink_to(base / "outside" / "secret.txt")
    (work / "linked").symlink_to(base / "outside")
    (work / "linking" / "x.py").symlink_to(base / "outside" / "secret.txt")
    (work / "inner").symlink_to("deep/inner")
    return base


def _needs(line: str, base: Path, *, confined: bool = False, case: Case | None = None) -> list[str]:
    surroundings = place(base, case or Case("x", "asks", ""))
    env = {"PATH": str(base / "bin"), "HOME": str(base / "home")}
    found = judged(
        line.replace("BASE", str(base)), surroundings.work_dir, surroundings, env, "none" if confined else None
    )
    assert found.why_not is not None
    return sorted(found.needs)


def _values(needs: str | None, base: Path) -> list[str]:
    """What a row of the table says, as values of rules."""
    found: list[str] = []
    for one in needs.split(" + ") if needs else ():
        folder, _, name = one.rpartition(":") if one.startswith("pkg:") else ("", "", one)
        found.append(value_of(str(base / "work" / folder), [canonical(name).replace("BASE", str(base))]))
    return sorted(found)


@pytest.mark.parametrize("line", USUAL)
def test_usual_calls_are_covered(line: str, plain: Path) -> None:
    assert _needs(line, plain) == _values(_name(line), plain)


@pytest.mark.parametrize("case", TRAPS, ids=lambda case: ascii(case.line)[1:-1])
def test_what_a_rule_for_programs_covers(case: Line, base: Path) -> None:
    assert _needs(case.line, base) == _values(case.needs, base), case.why


@pytest.mark.parametrize("case", CONFINED, ids=lambda case: ascii(case.line)[1:-1])
def test_what_it_covers_in_a_sandbox(case: Line, base: Path) -> None:
    assert _needs(case.line, base, confined=True) == _values(case.needs, base), case.why


def test_a_program_in_the_folder_is_not_the_one_of_the_same_name(plain: Path) -> None:
    surroundings = place(plain, Case("x", "asks", ""))
    own = plain / "work" / "tools"
    own.mkdir()
    (own / "npm").write_text("a program\n")
    (own / "npm").chmod(0o755)
    env = {"PATH": f"{own}:{plain}/bin", "HOME": str(plain / "home")}
    assert judged("npm test", plain / "work", surroundings, env, None).needs == ()
    (own / "npm").unlink()
    assert judged("npm test", plain / "work", surroundings, env, None).needs


@pytest.mark.parametrize("tool", ["write_file", "edit_file", "read_file", "run_command"])
@pytest.mark.parametrize(
    "line", ["ruff format src", "prettier --write src", "rm src/deep/x.py", "black .", "rm src/*/*"]
)
def test_what_a_rule_denies_is_not_changed(line: str, tool: str, plain: Path) -> None:
    assert _needs(line, plain)
    case = Case("x", "asks", "", denies=((tool, "exact", "BASE/work/src/deep/x.py"),))
    assert _needs(line, plain, case=case) == []


def test_there_are_enough_lines() -> None:
    for table in (USUAL, [case.line for case in TRAPS], [case.line for case in CONFINED]):
        assert len(set(table)) == len(table)
    assert len(TRAPS) >= 150
    assert {line.split(" ")[0] for line in USUAL} == {name for name, rows in PROJECTS.items() if rows}
    assert {case.line.split(" ")[0] for case in TRAPS} >= {name for name, rows in PROJECTS.items() if rows}
