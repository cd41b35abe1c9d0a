#!/bin/sh
# Freezes the daemon into dist/aster-desktop for the Makefile: `sh package/freeze.sh python3`. PyInstaller runs in an
# environment that has exactly the packages of the locks, so no other package can get in. The environment is outside the
# checkout, and is made again when a lock file or the Python changes. EXTRAS names the extras that go in (mcp, google,
# otel; by default none). `sh package/freeze.sh --clean` removes the environment.
#
# Python, its library and the packages are frozen once for all checkouts, until the daemon's imports of them change. The
# daemon's own modules, compiled, and its data are copied next to them. After a change of the daemon only this copy is
# made again.
set -eu
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aster-sidecar/package"
if [ "$1" = --clean ]; then
	rm -rf "$cache"
	exit 0
fi

sum() {
	cksum | cut -d ' ' -f 1
}

lock=requirements.lock
[ -z "${EXTRAS:-}" ] || lock=requirements-extras.lock
venv="$cache/venv-$({ "$1" -VV; cat $lock requirements-package.lock; } | sum)"
if [ ! -e "$venv/.made" ]; then
	rm -rf "$venv"
	"$1" -m venv "$venv"
	"$venv/bin/python" scripts/install.py $lock requirements-package.lock
	touch "$venv/.made"
fi
touch "$venv" # in use, so the removal of old ones below keeps it
[ "${2:-}" != --environment ] || exit 0 # the tests examine it

base="$cache/base-$({
	echo "$venv" "${EXTRAS:-}"
	cat package/aster-desktop.spec LICENSE aster_sidecar/__main__.py
	"$venv/bin/python" package/imports.py aster_sidecar
} | sum)"
if [ ! -e "$base" ]; then
	echo "freezing Python and the packages: about a minute, and again when what the daemon imports has changed"
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/work-XXXXXX")
	trap 'rm -rf "$work"' EXIT
	PYI_LOG_LEVEL=ERROR PYINSTALLER_CONFIG_DIR="$cache/pyinstaller" "$venv/bin/python" -m PyInstaller --noconfirm \
		--distpath "$work/dist" --workpath "$work/build" package/aster-desktop.spec
	find "$cache" -maxdepth 1 -name '[bv]*-*' -mtime +14 -exec rm -rf {} + # unused for two weeks
	mv "$work/dist/aster-desktop" "$base"
fi

touch "$base"

# Built in another folder and moved when it is complete.
fresh=build/package/aster-desktop
rm -rf $fresh
mkdir -p build/package dist
cp -R "$base" $fresh
inside=$fresh/_internal
cp -R aster_sidecar $inside/
find $inside/aster_sidecar -name __pycache__ -type d -prune -exec rm -rf {} +
# Tracebacks name these modules by their path in the package, without the path of this checkout.
"$venv/bin/python" -m compileall -q -b --invalidation-mode unchecked-hash -s $inside $inside/aster_sidecar
find $inside/aster_sidecar -name '*.py' -exec rm {} +
rm -rf dist/aster-desktop
mv $fresh dist/
touch dist/aster-desktop/aster-desktop
