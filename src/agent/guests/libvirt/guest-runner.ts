import { createHash } from 'node:crypto'

export const BASE = '/var/lib/keelson'
const MESSAGES_KEPT = 200
export const OUTPUT_BYTES = 12_000

/** Exit codes of the runner's, beside 0. */
export const runnerExits = { notStarted: 96, notAccepted: 97, otherBoot: 98, noRunner: 99 } as const

/**
 * What carries out messages in a guest. All that it knows is on the guest's disk, in a directory for each message:
 * `task` is there, whose first line has the seconds that it may take: accepted; `started` has the boot and the process that took it, and is linked to its name, so that one alone
 * can; `done` has the exit code. Each is on disk before what follows from it.
 */
export const runner = `umask 077
what=$1 id=$2 base=${BASE}
dir=$base/messages/$id
boot=$(cat /proc/sys/kernel/random/boot_id)
case $what in
mark)
  if [ -f "$dir/done" ]; then
    echo "done $(cat "$dir/done")"
    tail -c ${OUTPUT_BYTES} "$dir/output"
  elif [ -f "$dir/started" ]; then
    read -r in pid <"$dir/started"
    if [ "$in" = "$boot" ] && grep -q "$id" "/proc/$pid/cmdline" 2>/dev/null; then echo running
    elif [ -f "$dir/done" ]; then exec sh "$0" mark "$id"
    else
      rm -f "$dir/task"
      echo cut-off
    fi
  elif [ -f "$dir/task" ]; then echo accepted
  else echo none
  fi ;;
prepare)
  mkdir -p "$dir" && cd "$base/messages" && ls -t | tail -n +${MESSAGES_KEPT + 1} | while read -r old; do rm -rf "./$old"; done ;;
accept)
  [ -f "$dir/task" ] || [ -f "$dir/started" ] && exit 0
  [ "$(wc -c <"$dir/task.new")" -eq "$3" ] || exit ${runnerExits.notAccepted}
  sync
  mv "$dir/task.new" "$dir/task"
  sync ;;
go)
  [ "$3" = "$boot" ] || exit ${runnerExits.otherBoot}
  [ -f "$dir/started" ] && exit 0
  [ -f "$dir/task" ] || exit ${runnerExits.notAccepted}
  # a unit of its own: one that begins the agent anew ends what is in the agent's
  [ -d /run/systemd/system ] && systemd-run --quiet --collect --unit="keelson-$id" sh "$0" run "$@" ||
    setsid sh "$0" run "$@" </dev/null >/dev/null 2>&1 &
  n=0
  until [ -f "$dir/started" ]; do
    [ $n -lt 100 ] || exit ${runnerExits.notStarted}
    n=$((n + 1))
    sleep 0.1
  done ;;
run)
  shift
  id=$2 dir=$base/messages/$2
  [ "$3" = "$boot" ] || exit ${runnerExits.otherBoot}
  echo "$boot $$" >"$dir/claim.$$"
  ln "$dir/claim.$$" "$dir/started" 2>/dev/null || { rm -f "$dir/claim.$$"; exit 0; }
  rm -f "$dir/claim.$$"
  sync
  cd /
  read -r _ seconds <"$dir/task"
  timeout -s KILL "\${seconds:-3600}" sh "$dir/task" </dev/null >"$dir/output" 2>&1
  echo $? >"$dir/done.new"
  sync
  mv "$dir/done.new" "$dir/done"
  rm -f "$dir/task"
  sync ;;
esac
`

/** Another text has another name. */
export const RUNNER_PATH = `${BASE}/runner-${createHash('sha256').update(runner).digest('hex').slice(0, 12)}`
