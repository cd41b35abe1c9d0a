#!/bin/sh
# Debian packages that tests need and pip cannot bring: a browser, a terminal, two shells, a keychain. Installed as root;
# else named, and their tests skip.
set -eu
missing=
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
command -v tmux >/dev/null 2>&1 || missing="$missing tmux"
command -v zsh >/dev/null 2>&1 || missing="$missing zsh"
command -v fish >/dev/null 2>&1 || missing="$missing fish"
command -v gnome-keyring-daemon >/dev/null 2>&1 || missing="$missing gnome-keyring"
command -v dbus-daemon >/dev/null 2>&1 || missing="$missing dbus-daemon"
command -v dbus-send >/dev/null 2>&1 || missing="$missing dbus-bin"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086 # the names are words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "not installed, their tests will be skipped:$missing"
fi
