#!/bin/sh
# Runs npm in shells/ for the Makefile: `sh shells/npm.sh test`. Without arguments it only installs the packages. `npm
# ci` installs exactly what package-lock.json names, and runs again when that file has changed. NPM_ONLY=page installs
# only what the build of the page needs, a tenth of the packages. Without Node 20.19 or newer the script prints a
# message and does nothing; with CI=true it fails.
set -eu
cd "$(dirname "$0")"

if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
	echo "shells: skipped, because Node 20.19 or newer is not here (found: $(node --version 2>/dev/null || echo none))" >&2
	[ "${CI:-}" = true ] && exit 1
	exit 0
fi

installed() {
	[ -e "node_modules/.aster-$1" ] && [ ! package-lock.json -nt "node_modules/.aster-$1" ]
}

# install NAME FLAG...
install() {
	name=$1
	shift
	echo "installing npm packages from shells/package-lock.json"
	npm ci --ignore-scripts --loglevel=error "$@"
	touch "node_modules/.aster-$name"
}

if [ "${NPM_ONLY:-}" = page ]; then
	installed all || installed page || install page --workspace @aster-sidecar/ui --workspace @aster-sidecar/client
else
	installed all || install all
fi
[ $# -gt 0 ] || exit 0
exec npm --loglevel=error "$@"
