#!/bin/sh
# Freezes the daemon into dist/aster-desktop for the Makefile: `sh package/freeze.sh python3`. PyInstaller runs in an
# environment that has what the daemon needs and no more, so nothing else can get in; it is kept outside the checkout and
# made anew when a lock file or the Python changes. EXTRAS names the extras that go in (mcp, google, otel; by default
# none). `sh package/freeze.sh --clean` removes it.
set -eu
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aster-sidecar/package"
if [ "$1" = --clean ]; then
	rm -rf "$cache"
	exit 0
fi

lock=requirements.lock
[ -z "${EXTRAS:-}" ] || lock=requirements-extras.lock
made_of="$("$1" -VV; cat $lock requirements-package.lock)"
venv="$cache/venv-$(printf %s "$made_of" | cksum | cut -d ' ' -f 1)"
if [ ! -e "$venv/.made" ]; then
	rm -rf "$venv"
	"$1" -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
		-r $lock -r requirements-package.lock
	touch "$venv/.made"
fi

# Built beside its place and put there whole.
PYI_LOG_LEVEL=ERROR PYINSTALLER_CONFIG_DIR="$cache/pyinstaller" "$venv/bin/python" -m PyInstaller --noconfirm \
	--distpath build/package/dist --workpath build/package/work package/aster-desktop.spec
mkdir -p dist
rm -rf dist/aster-desktop
mv build/package/dist/aster-desktop dist/
touch dist/aster-desktop/aster-desktop
