# Shared by the stages of CI: where things are, a broker of this stage's own, and checks of what a command prints.
# shellcheck shell=bash disable=SC2034 # some names are for the stages
#
# A stage runs against Milena's release binary. `BROKER_CTL=../shared/peer/kafka-peer` runs it against Apache Kafka instead,
# which tells a wrong check from a wrong broker.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
shared=$(cd "$root/.." && pwd)/shared
peer=$shared/peer/kafka-peer
control=$(readlink -f "${BROKER_CTL:-$root/bench/milena-peer}")
case $control in */kafka-peer) on_kafka=1 ;; *) on_kafka=0 ;; esac

work=$(mktemp -d "${TMPDIR:-/tmp}/milena-ci.XXXXXX")
started=() at=""

passed=0 failed=0

finish() {
  local code=$? dir
  for dir in "${started[@]+"${started[@]}"}"; do
    if [ "$code" != 0 ] || [ "$failed" != 0 ]; then
      echo "-- last lines of $dir/1/server.log"
      tail -n 25 "$dir/1/server.log" | cut -c1-300 || true
    fi
    "$control" kill "$dir" 1 2>/dev/null || true
  done
  if [ "${KEEP:-0}" = 1 ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap finish EXIT

# skip_without PATH WHAT: ends the stage, green and in plain words, where the project's shared folder is not at hand.
skip_without() {
  [ -e "$1" ] || { echo "SKIPPED $(basename "$0"): $2 needs $1, which is not here"; exit 0; }
}

# free_base: a port P with P, P+10 and P+20 unused, below those that the kernel gives to clients.
free_base() {
  local base port tries
  for ((tries = 0; tries < 200; tries++)); do
    base=$((20000 + RANDOM % 10000))
    for port in $base $((base + 10)) $((base + 20)); do
      if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then continue 2; fi
    done
    echo "$base"
    return
  done
  echo "no free port" >&2
  return 1
}

# start_broker NAME [options of milena-peer]: sets `dir` and `at`; the broker ends with the stage.
start_broker() {
  dir=$work/$1
  shift
  started+=("$dir")
  case " $* " in *" --base-port "*) ;; *) set -- --base-port "$(free_base)" "$@" ;; esac
  "$control" start --dir "$dir" "$@"
  at=$("$control" bootstrap "$dir")
}

tool() { "$peer" tool "$@"; }

# check NAME [-m ERE]... [-n ERE]... [-f] [-i TEXT] -- COMMAND...
# Runs COMMAND (60 s at most; TEXT is its input) and counts it as passed when it exits 0 (with -f: not 0), every -m is found in a
# line of what it printed, and no -n is. What it printed stays in $out.
check() {
  local name=$1 fails=0 code=0 why="" pattern
  local -a has=() lacks=()
  local input=/dev/null
  shift
  while [ "$1" != -- ]; do
    case $1 in
      -m) has+=("$2"); shift 2 ;;
      -n) lacks+=("$2"); shift 2 ;;
      -f) fails=1; shift ;;
      -i) printf '%b' "$2" > "$work/input"; input=$work/input; shift 2 ;;
      *) echo "check: unknown option $1" >&2; exit 2 ;;
    esac
  done
  shift
  out=$work/out
  timeout "${CHECK_SECONDS:-60}" "$@" > "$out" 2>&1 < "$input" || code=$?
  if [ "$code" = 124 ]; then why+="did not end in ${CHECK_SECONDS:-60} s; "; fi
  if [ $fails = 0 ] && [ $code != 0 ]; then why+="exit code $code; "; fi
  if [ $fails = 1 ] && [ $code = 0 ]; then why+="exit code 0, a failure was due; "; fi
  for pattern in "${has[@]+"${has[@]}"}"; do grep -Eq -- "$pattern" "$out" || why+="no line has /$pattern/; "; done
  for pattern in "${lacks[@]+"${lacks[@]}"}"; do if grep -Eq -- "$pattern" "$out"; then why+="a line has /$pattern/; "; fi; done
  if [ -z "$why" ]; then
    passed=$((passed + 1))
    echo "ok      $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name: $why"
    echo "        command: $*"
    head -c 4000 "$out" | sed 's/^/        | /'
  fi
}

# verdict: the closing line, and the stage's exit code.
verdict() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}
