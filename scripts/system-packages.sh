#!/bin/sh
# Debian packages that pip, npm and cargo cannot install: `sh scripts/system-packages.sh [tests] [electron] [tauri]`,
# all three when none is named. It installs them when run as root. Otherwise it prints their names; tests that need them
# are skipped, or fail where CI=true.
set -eu
missing=

# need PACKAGES TEST...: the packages are missing when the test fails
need() {
	packages=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $packages"
}

[ $# -gt 0 ] || set -- tests electron tauri
for purpose; do
	case $purpose in
	tests) # for the daemon and the page: a browser, a terminal, shells, programs that commands name, a keychain,
		# a sandbox, and what llama.cpp's server needs
		need chromium command -v chromium
		need tmux command -v tmux
		need zsh command -v zsh
		need fish command -v fish
		need mksh command -v mksh
		need busybox command -v busybox
		need ripgrep command -v rg
		need jq command -v jq
		need strace command -v strace
		need gnome-keyring command -v gnome-keyring-daemon
		need dbus-daemon command -v dbus-daemon
		need dbus-bin command -v dbus-send
		need bubblewrap command -v bwrap
		need libgomp1 dpkg -s libgomp1
		;;
	electron) # what a real Electron needs to run without a desktop
		for package in xvfb xdotool libgtk-3-0 libnss3 libasound2 libgbm1 libxss1 libxtst6 dunst libnotify4 dbus-daemon; do
			need "$package" dpkg -s "$package"
		done
		;;
	tauri) # what the Tauri app needs to be built and tested
		need "pkg-config libwebkit2gtk-4.1-dev" pkg-config --exists webkit2gtk-4.1
		need libayatana-appindicator3-dev pkg-config --exists ayatana-appindicator3-0.1
		need librsvg2-dev pkg-config --exists librsvg-2.0
		need webkit2gtk-driver command -v WebKitWebDriver
		need xvfb command -v Xvfb
		need xdotool command -v xdotool
		need dunst command -v dunst
		need procps command -v pgrep
		need dbus-daemon command -v dbus-daemon
		;;
	*)
		echo "usage: system-packages.sh [tests] [electron] [tauri]" >&2
		exit 2
		;;
	esac
done

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "installing Debian packages for $*:$missing"
	apt-get update -qq >/dev/null
	# shellcheck disable=SC2086 # the names are words
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $missing >/dev/null
else
	echo "not installed, so $* will do without or skip:$missing"
fi
