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

# take PACKAGE MODE TARGET FILE…: puts files of the package there
take() {
	package=$1 mode=$2 target=$3
	shift 3
	scratch=$(mktemp -d) || return 0
	(
		cd "$scratch" || exit
		[ "$(id -u)" != 0 ] || apt update
		apt download "$package"
		for file; do
			name=$(basename "$file")
			dpkg-deb --fsys-tarfile "$package"_*.deb | tar -xO "./$file" >"$name" && install -D -m "$mode" "$name" "$target/$name"
		done
	) >/dev/null 2>&1
	rm -rf "$scratch"
}

# bring PACKAGE PROGRAM…
bring() {
	package=$1
	shift
	[ -n "$(missing "$@")" ] || return 0
	take "$package" 755 "$folder" $(printf 'usr/bin/%s ' "$@")
	for program in $(missing "$@"); do
		echo "make: $program is not here and apt cannot bring it: what needs it is left out"
	done
}

bring prometheus promtool prometheus
bring prometheus-alertmanager prometheus-alertmanager

# Debian's Alertmanager does not start without its templates, which it looks for in this one place; only root can put them there.
templates=usr/share/prometheus/alertmanager
if [ "$(id -u)" = 0 ] && [ -z "$(missing prometheus-alertmanager)" ] && [ ! -e "/$templates/default.tmpl" ]; then
	take prometheus-alertmanager 644 "/$templates" "$templates/default.tmpl" "$templates/email.tmpl"
fi
