#!/bin/sh
# What a real Electron needs to run without a desktop.
set -eu
. "$(dirname "$0")/../../../tests/debian.sh"
for package in xvfb xdotool libgtk-3-0 libnss3 libasound2 libgbm1 libxss1 libxtst6 dunst libnotify4 dbus-daemon; do
	need "$package" dpkg -s "$package"
done
get "the Electron windows"
