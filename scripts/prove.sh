#!/usr/bin/env bash
# The long forms of the tests in internal/test/robustness, and of the copies between stores.
set -euo pipefail

usage() {
	cat <<'END'
usage: scripts/prove.sh [PART]

  linearizable   random histories under faults        DURATION on each system
  sidebyside     every driver beside the memory one   CHECKS sequences on each system
  kill           processes killed at random moments   KILLS on each database
  damage         stored rows and keys damaged         DAMAGES on each database
  fuzz           every fuzz target                    FUZZTIME each
  load           saves at once over one handle        SAVES on each database
  soak           memory and goroutines stay steady    SOAK on each system
  copy           every store to every other, killed   COPIES threads, of 5 versions, each
                 and run again, and compared
  suite          broken backends against the suite   ROUNDS in each way, of those whose
                                                     names BACKENDS, a regexp, matches
  drivers        the suite against every driver      RUNS times each
  all            one after the other (no argument)

The environment changes the amounts, and SEED repeats the operations of a run:

  SEED=7 DURATION=10m scripts/prove.sh linearizable
  SYSTEM=redis KILLS=300 scripts/prove.sh kill
  SYSTEM=sqlite/redis COPIES=10000 scripts/prove.sh copy

What has passed is added to docs/proof.md, a line for each system. A system that is
not installed, or that a part does not know, is refused.

SYSTEM is memory, sqlite, postgres, pgbouncer, redis, dynamodb, sentinel or
cluster; for drivers it is memory, sqlite, redis, postgres, dynamodb or bbolt; for
copy it is FROM or FROM/TO, of memory, sqlite, postgres, redis and dynamodb; for
suite it is a way: alone, alone-race, together or together-race. All where it is
empty.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly system=${SYSTEM:+/^$SYSTEM\$} seed=${SEED:-0}

export CHECKPOINT_TEST_REQUIRE=1 # what is not installed is a failure, and not skipped
log=$(mktemp)
trap 'rm -f "$log"' EXIT

prove() { # TEST FLAGS...
	local test=$1
	shift
	echo "==> $test $*"
	go test ./internal/test/robustness -count=1 -timeout 0 -v -run "^($test)\$${system}" -proof.seed="$seed" "$@" | tee "$log"
	if ! grep -q 'proof: ' "$log"; then
		echo "FAILED: nothing was proven: ${SYSTEM:-no system} is not known to $test, or was skipped" >&2
		return 1
	fi
	record
}

# record adds what the log says to docs/proof.md.
record() {
	sed -n "s/.*proof: /| $(date -u +%F) | /p" "$log" | sed 's/$/ |/' >>docs/proof.md
}

# fuzz runs two targets at a time, each on one processor. Go fuzzes one target of
# one package at a time.
fuzz() {
	export -f fuzz_one
	targets | xargs -P 2 -L 1 bash -c 'fuzz_one "$@" || exit 255' fuzz
}

# fuzz_one fuzzes a target of the package of a file. Go sometimes reports the end
# of the time as a failure ("context deadline exceeded"): what it has found is a
# failing input, which it writes and says so.
fuzz_one() { # FILE TARGET
	local time=${FUZZTIME:-20s} out
	[ "$2" != FuzzUnpack ] || time=${UNPACKTIME:-$time}
	if out=$(go test -C "$(dirname "$1")" . -run '^$' -fuzz "^$2\$" -fuzztime "$time" -parallel 1 2>&1) ||
		{ grep -q '^    context deadline exceeded$' <<<"$out" && ! grep -qi 'failing input\|panic' <<<"$out"; }; then
		printf '==> %s in %s, %s: nothing found\n' "$2" "$1" "$time"
	else
		printf '%s\nFAILED: %s in %s\n' "$out" "$2" "$1"
		return 1
	fi
}

# targets prints every fuzz target, also of other modules, and the file it is in.
targets() {
	grep -rEo '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' . | sed 's/^\.\///; s/:func / /' | sort
}

# copy works on one pair at a time.
copy() {
	local from=${SYSTEM:-} to=
	from=${from%%/*}
	[[ ${SYSTEM:-} != */* ]] || to=/^${SYSTEM#*/}\$
	echo "==> TestCopyPairs ${SYSTEM:-}"
	CHECKPOINT_TEST_COPY=${COPIES:-10000} go test ./cmd/checkpoint -count=1 -timeout 0 -parallel 1 -v \
		-run "^TestCopyPairs\$${from:+/^$from\$}$to"
}

# drivers runs the whole suite against each driver here, and against the example: on
# Redis a single server, on DynamoDB a table with an index. CI runs it the other ways.
drivers() {
	local runs=${RUNS:-20} known='' name folder way
	for name in memory sqlite redis postgres dynamodb bbolt; do
		[ "${SYSTEM:-$name}" = "$name" ] || continue
		known=yes folder=internal/test/conformance/$name way=
		case $name in
		bbolt) folder=examples/bbolt ;;
		redis) way='/^Single$' ;;
		dynamodb) way='/^Index$' ;;
		esac
		echo "==> the suite against $name, $runs times"
		go test -C "$folder" . -run "^TestConformance\$$way" -count="$runs" -timeout 0
		echo "| $(date -u +%F) | drivers | $name | $runs runs of the whole suite, in which no case failed | - |" >>docs/proof.md
	done
	[ -n "$known" ] || {
		echo "FAILED: nothing was proven: $SYSTEM is no driver here" >&2
		return 1
	}
}

# suite runs the suite against the broken backends: for each the case about its fault,
# or the others together with it. With the race detector, to which copies of megabytes
# are dear, those that -short leaves out are left to the way without it.
suite() {
	local rounds=${ROUNDS:-10} which=${BACKENDS:-} known='' way flags count
	for way in alone alone-race together together-race; do
		[ "${SYSTEM:-$way}" = "$way" ] || continue
		known=yes flags=()
		[[ $way != together* ]] || flags+=(-together)
		[[ $way != *-race ]] || flags=(-race -short "${flags[@]}")
		echo "==> broken backends, $way, $rounds rounds"
		go test ./checkpointtest -run "Broken${which:+/($which)}" -count="$rounds" -timeout 0 -v "${flags[@]}" >"$log" || {
			grep -v '^ *\(=== \|--- PASS\)' "$log"
			return 1
		}
		count=$(grep -c '^    --- PASS' "$log") || {
			echo "FAILED: nothing was proven: no broken backend is called $which" >&2
			return 1
		}
		echo "| $(date -u +%F) | suite | $way | $rounds rounds, in which each of $((count / rounds)) broken backends was caught by the case about its fault | - |" >>docs/proof.md
	done
	[ -n "$known" ] || {
		echo "FAILED: nothing was proven: $SYSTEM is no way to run broken backends" >&2
		return 1
	}
}

part() {
	case $1 in
	linearizable) prove TestLinearizable -proof.duration="${DURATION:-10m}" ;;
	sidebyside) prove TestSideBySide -rapid.checks="${CHECKS:-1000}" -rapid.seed="$seed" ;;
	kill) prove 'TestKilled|TestKilledWhileMigrating|TestKilledWhileImporting' -proof.kills="${KILLS:-200}" ;;
	damage) prove TestDamaged -proof.damages="${DAMAGES:-2000}" ;;
	fuzz) fuzz ;;
	load) prove TestManySaves -parallel 1 -proof.saves="${SAVES:-10000}" ;;
	soak) prove TestSoak -proof.soak="${SOAK:-1h}" ;;
	copy) copy ;;
	suite) suite ;;
	drivers) drivers ;;
	all) for p in linearizable sidebyside kill damage fuzz load soak copy suite drivers; do part "$p"; done ;;
	*)
		usage
		[[ $1 == -h || $1 == --help ]] || exit 2
		;;
	esac
}

part "${1:-all}"
