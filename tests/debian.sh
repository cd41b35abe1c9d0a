# Debian packages that pip, npm and cargo cannot bring; to be sourced. Installed as root; else named, and what needs them
# skips, or fails where CI=true.
#
#   need PACKAGES TEST...   the packages are missing when the test fails
#   get PURPOSE             installs what is missing
missing=

need() {
	packages=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $packages"
}

get() {
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		echo "installing for $1:$missing"
		apt-get update -qq >/dev/null
		# shellcheck disable=SC2086 # the names are words
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
	else
		echo "not installed, so $1 will do without or skip:$missing"
	fi
}
