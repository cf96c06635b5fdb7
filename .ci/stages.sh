# Sourced by .ci/run and .ci/full: stages, a table of their times, and a limit on the total time.
#
#   limit MINUTES        the script fails after MINUTES and ends the running stage
#   stage NAME COMMAND…  runs COMMAND; if it fails, the script ends

times=() stage='' job='' watchdog=''

limit() {
  set -m
  (sleep $((60 * $1)); kill -USR1 $$) &
  watchdog=$!
  set +m
}

stage() {
  local began=$SECONDS status=0
  stage=$1
  shift
  printf '\n== %s (after %d s)\n' "$stage" "$began"
  set -m  # a process group of its own, so that one signal ends it
  (set +m; "$@") </dev/null &
  job=$!
  set +m
  wait "$job" || status=$?
  job=''
  note "$began" "$([ "$status" -eq 0 ] || echo "FAILED ($status)")"
  [ "$status" -eq 0 ] || exit "$status"
}

note() { times+=("$(printf '%6d s  %s  %s' $((SECONDS - $1)) "$stage" "$2")"); }

# stop CODE WHY: ends the running stage, including its mounts, and then the script.
stop() {
  trap '' INT TERM USR1
  if [ -n "$job" ]; then
    kill -TERM -- "-$job"
    for _ in {1..60}; do
      kill -0 -- "-$job" 2>/dev/null || break
      sleep 0.5
    done
    kill -KILL -- "-$job" 2>/dev/null || true
    times+=("          $stage  $2")
  fi
  exit "$1"
}

finish() {
  [ -z "$watchdog" ] || kill -- "-$watchdog" 2>/dev/null || true
  printf '\nstages of %s\n' "$0"
  printf '%s\n' "${times[@]}"
  printf '%6d s  in all\n' "$SECONDS"
}

trap finish EXIT
trap 'stop 130 INTERRUPTED' INT
trap 'stop 143 TERMINATED' TERM
trap 'stop 1 "OUT OF TIME"' USR1
