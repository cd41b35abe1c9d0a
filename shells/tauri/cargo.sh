#!/bin/sh
# Runs cargo in shells/tauri for the Makefile: `sh shells/tauri/cargo.sh check`, `test`, and `build`, which compiles
# what `test` runs. The build results are kept outside the checkout; the first build takes about ten minutes on two
# cores. Without cargo the script prints a message and does nothing. If anything else is missing, it names it and skips
# that part; with CI=true it fails. Everything is built from Cargo.lock.
set -eu
cd "$(dirname "$0")"
DENY=0.20.2
DRIVER=2.1.0

if ! command -v cargo >/dev/null 2>&1; then
	echo "shells/tauri: skipped, because cargo is not here" >&2
	exit 0
fi
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aster-sidecar"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
PATH="$cache/tools/bin:$PATH"
# CI builds once and discards the result, so data for a later incremental build would only cost time.
[ "${CI:-}" != true ] || export CARGO_INCREMENTAL=0

missing() {
	echo "shells/tauri: $1" >&2
	[ "${CI:-}" != true ] || exit 1
}

packages="--workspace"
# What to build; without the libraries of the app, only the supervisor.
if [ "$(uname)" = Linux ]; then
	sh ../../scripts/system-packages.sh tauri
	pkg-config --exists webkit2gtk-4.1 2>/dev/null || {
		missing "the app is skipped, because WebKitGTK's development files are not here"
		packages="--package aster-supervisor"
	}
fi
if [ ! -e ../../aster_sidecar/webui/index.html ]; then
	missing "the app is skipped, because the page is not built: make ui"
	packages="--package aster-supervisor"
fi

# tool NAME VERSION: installs it with cargo into the cache, unoptimised, which takes a third of the time
tool() {
	case "$(cargo install --list --root "$cache/tools" 2>/dev/null)" in
	*"$1 v$2:"*) return 0 ;;
	esac
	echo "installing $1 $2"
	CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$cache/tools/target" \
		cargo install --quiet --locked --debug --root "$cache/tools" "$1@$2" || return 1
	rm -rf "$cache/tools/target"
}

case "${1:-}" in
check)
	cargo fmt --check
	# shellcheck disable=SC2086 # they are words
	cargo clippy --quiet --locked $packages --all-targets -- -D warnings
	if tool cargo-deny "$DENY"; then
		cargo deny --log-level error --locked check bans licenses sources
	else
		missing "cargo deny is skipped, because it could not be installed"
	fi
	# Its database of advisories has a separate address, which is not a registry of crates.
	echo "shells/tauri: cargo deny check advisories is skipped; run it where its database can be reached" >&2
	;;
build | test)
	# With the feature of a packaged app, so that packing it needs no other build.
	[ "$packages" != --workspace ] || packages="--workspace --features aster-app/custom-protocol"
	[ "$(uname)" != Linux ] || tool tauri-driver "$DRIVER" || missing "tauri-driver could not be installed"
	if [ "$1" = build ]; then
		# shellcheck disable=SC2086
		exec cargo test --quiet --locked $packages --no-run
	fi
	# Two tests at a time: each has a screen, a bus, a WebKit and a daemon.
	# shellcheck disable=SC2086
	cargo test --quiet --locked $packages -- --test-threads 2
	[ "$packages" != "--package aster-supervisor" ] && [ "$(uname)" = Linux ] || exit 0
	if [ ! -e ../../dist/aster-desktop/aster-desktop ]; then
		missing "the package is skipped, because there is no frozen daemon for it: make package"
	elif ! command -v npm >/dev/null 2>&1; then
		missing "the package is skipped, because npm, which brings tauri-cli, is not here"
	else
		rm -rf "$CARGO_TARGET_DIR/debug/bundle/deb"
		sh ../npm.sh run bundle --workspace @aster-sidecar/tauri -- --debug --bundles deb
		for deb in "$CARGO_TARGET_DIR"/debug/bundle/deb/*.deb; do export ASTER_DEB="$deb"; done
		# shellcheck disable=SC2086
		cargo test --quiet --locked $packages --test package
	fi
	;;
*)
	echo "usage: cargo.sh check | build | test" >&2
	exit 2
	;;
esac
