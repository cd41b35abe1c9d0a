#!/bin/sh
# Runs npm in shells/ for the Makefile: `sh shells/npm.sh test`. Installs what package-lock.json names when that has
# changed. Without Node 20.19 or newer it says so and does nothing, or fails where CI=true.
set -eu
cd "$(dirname "$0")"

if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
	echo "shells: skipped, because Node 20.19 or newer is not here (found: $(node --version 2>/dev/null || echo none))" >&2
	[ "${CI:-}" = true ] && exit 1
	exit 0
fi

# npm writes its own copy of the lock file last, so it says when node_modules was made.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	npm ci --ignore-scripts --loglevel=error
	touch node_modules/.package-lock.json
fi
exec npm --loglevel=error "$@"
