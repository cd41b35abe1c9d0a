#!/bin/sh
# Debian packages that the Tauri shell is built and tried with. Installed as root; else named, and what needs them skips.
set -eu
missing=
pkg-config --exists webkit2gtk-4.1 2>/dev/null || missing="$missing pkg-config libwebkit2gtk-4.1-dev"
pkg-config --exists ayatana-appindicator3-0.1 2>/dev/null || missing="$missing libayatana-appindicator3-dev"
pkg-config --exists librsvg-2.0 2>/dev/null || missing="$missing librsvg2-dev"
command -v WebKitWebDriver >/dev/null 2>&1 || missing="$missing webkit2gtk-driver"
command -v Xvfb >/dev/null 2>&1 || missing="$missing xvfb"
command -v dbus-run-session >/dev/null 2>&1 || missing="$missing dbus-daemon"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing for the Tauri shell:$missing"
	apt-get update -qq >/dev/null
	# shellcheck disable=SC2086 # the names are words
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
	echo "not installed, so the Tauri app or its tests are skipped:$missing"
fi
