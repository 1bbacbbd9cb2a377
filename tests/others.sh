#!/bin/sh
# Brings others' programs, whose opinion the tests ask of what Dozor exposes, evaluates and sends, into the folder $1. They are taken
# out of Debian's packages, because installing those would start them. Never a reason to fail: a test that misses one says so.

folder=$(cd "$1" && pwd)
PATH="$folder:$PATH"

apt() {
	apt-get -qq -o Acquire::Retries=0 -o Acquire::http::Timeout=20 "$@"
}

missing() {
	for program; do
		command -v "$program" >/dev/null || echo "$program"
	done
}

# bring PACKAGE PROGRAM…
bring() {
	package=$1
	shift
	[ -n "$(missing "$@")" ] || return 0
	scratch=$(mktemp -d) || return 0
	(
		cd "$scratch" || exit
		[ "$(id -u)" != 0 ] || apt update
		apt download "$package"
		for program; do
			dpkg-deb --fsys-tarfile "$package"_*.deb | tar -xO "./usr/bin/$program" >"$program" &&
				install -m 755 "$program" "$folder/"
		done
	) >/dev/null 2>&1
	rm -rf "$scratch"
	for program in $(missing "$@"); do
		echo "make: $program is not here and apt cannot bring it: what needs it is left out"
	done
}

bring prometheus promtool prometheus
bring prometheus-alertmanager prometheus-alertmanager
