#!/bin/sh
# Debian packages that a real Electron needs to run without a desktop. Installed as root; else named.
set -eu
missing=
for package in xvfb xdotool libgtk-3-0 libnss3 libasound2 libgbm1 libxss1 libxtst6; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086 # the names are words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "not installed, the tests with a window need them:$missing"
fi
