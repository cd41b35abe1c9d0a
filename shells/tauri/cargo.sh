#!/bin/sh
# Runs cargo in shells/tauri for the Makefile: `sh shells/tauri/cargo.sh check`, or `test`. What it builds is kept outside
# the checkout. Without cargo it says so and does nothing; what else is missing is named, and fails where CI=true.
set -eu
cd "$(dirname "$0")"
DENY=0.20.2

if ! command -v cargo >/dev/null 2>&1; then
	echo "shells/tauri: skipped, because cargo is not here" >&2
	exit 0
fi
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aster-sidecar"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"

missing() {
	echo "shells/tauri: $1" >&2
	[ "${CI:-}" = true ] && exit 1
	return 0
}

deny() {
	PATH="$cache/tools/bin:$PATH"
	if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $DENY" ]; then
		echo "installing cargo-deny $DENY"
		CARGO_TARGET_DIR="$cache/tools/target" cargo install --quiet --locked --root "$cache/tools" "cargo-deny@$DENY" ||
			{ missing "cargo-deny skipped, because it could not be installed"; return 0; }
		rm -rf "$cache/tools/target"
	fi
	cargo deny --log-level error --locked check bans licenses sources
	# It needs a database of advisories from a place of its own, which is not a registry of crates.
	echo "shells/tauri: cargo deny check advisories skipped; run it where its database can be reached" >&2
}

case "${1:-}" in
check)
	cargo fmt --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	deny
	;;
test)
	cargo test --quiet --locked --workspace
	;;
*)
	echo "usage: cargo.sh check | test" >&2
	exit 2
	;;
esac
