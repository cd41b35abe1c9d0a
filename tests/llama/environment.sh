#!/bin/sh
# Prints the path of a Python whose environment has llama.cpp's server and the packages that write a model for it: `sh
# tests/llama/environment.sh python3`. The environment is made if it does not exist; it is outside the checkout and has
# exactly the packages of the lock. Where the lock has no server for this system and LLAMA_SERVER names none, it prints
# the reason on stderr and nothing on stdout. `--clean` removes the environment.
set -eu
cd "$(dirname "$0")/../.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aster-sidecar/llama"
if [ "$1" = --clean ]; then
	rm -rf "$cache"
	exit 0
fi
glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true) # "glibc 2.36"
if [ -z "${LLAMA_SERVER:-}" ] && ! { [ "$(uname -sm)" = "Linux x86_64" ] && [ "${glibc##*.}" -ge 35 ]; } 2>/dev/null; then
	echo "skipped: the lock's llama.cpp server is for Linux on x86-64 with glibc 2.35; LLAMA_SERVER=/path names another" >&2
	exit 0
fi
lock=requirements-llama.lock
venv="$cache/venv-$({ "$1" -VV; cat $lock; } | cksum | cut -d ' ' -f 1)"
if [ ! -e "$venv/.made" ]; then
	rm -rf "$venv"
	"$1" -m venv "$venv"
	"$venv/bin/python" scripts/install.py $lock >&2
	touch "$venv/.made"
	find "$cache" -maxdepth 1 -name 'venv-*' -mtime +14 -exec rm -rf {} + # unused for two weeks
fi
touch "$venv"
echo "$venv/bin/python"
