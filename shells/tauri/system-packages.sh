#!/bin/sh
# What the Tauri app is built and tried with.
set -eu
. "$(dirname "$0")/../../tests/debian.sh"
need "pkg-config libwebkit2gtk-4.1-dev" pkg-config --exists webkit2gtk-4.1
need libayatana-appindicator3-dev pkg-config --exists ayatana-appindicator3-0.1
need librsvg2-dev pkg-config --exists librsvg-2.0
need webkit2gtk-driver command -v WebKitWebDriver
need xvfb command -v Xvfb
need xdotool command -v xdotool
need dunst command -v dunst
need procps command -v pgrep
need dbus-daemon command -v dbus-daemon
get "the Tauri app"
