#!/bin/sh
# What the tests of the daemon and of the page need: a browser, a terminal, two shells, a keychain.
set -eu
. "$(dirname "$0")/debian.sh"
need chromium command -v chromium
need tmux command -v tmux
need zsh command -v zsh
need fish command -v fish
need gnome-keyring command -v gnome-keyring-daemon
need dbus-daemon command -v dbus-daemon
need dbus-bin command -v dbus-send
get "the tests"
