# Copies volumes of a running stack into a restic repository, and back. Needs restic and a busybox, nothing else.
#
#   backup.sh serve [idle]       run on schedule, or never, and answer Prometheus
#   backup.sh run NAME           make one copy; NAME tells those apart that may run at the same time
#   backup.sh restic ...         restic itself, on the repository of the settings
#   backup.sh check ID           read everything of a snapshot, checking each byte
#   backup.sh print ID PATH      a file of a snapshot, in base64
#   backup.sh look VOLUME...     what is in volumes
#   backup.sh load               let Grafana's database be what the dump in its volume says
#   backup.sh passed             remember that a copy was restored and found to be right
#   backup.sh fetch ID VOLUME PATH [DATABASES]
#                                put a folder of a snapshot beside what a volume holds
#   backup.sh accept VOLUME ID   what was fetched is wanted: the next `take` may have it, within an hour
#   backup.sh drop VOLUME        remove what was fetched, accepted or not
#   backup.sh take VOLUME        let what was accepted take the place of what the volume holds; while nothing else runs
#   backup.sh put VOLUME ID      accept and take at once, on Docker: no program can enter the volume meanwhile
#   backup.sh settle VOLUME...   finish each `put` that was cut off, and name its volume; drop what else was fetched
#   backup.sh end                end a copy by hand, or what is being checked or fetched
set -eu
umask 077
HERE=${HERE:-/etc/backup/current}
STATE=${STATE:-/var/lib/backup}
DATA=${DATA:-/data}
FAILED=${FAILED:-/tmp/backup-failed} # in memory: a full volume is a reason to fail
LINKS=snapshots/observatory
FINISHES="./observatory restore --replace finishes it"
NO_REPOSITORY=10 # restic's exit code

load() {
  . "$HERE/settings"
  export RESTIC_REPOSITORY AWS_DEFAULT_REGION
  export RESTIC_PASSWORD_FILE=$HERE/secrets/password RESTIC_CACHE_DIR=$STATE/cache
  [ -f "$HERE/secrets/aws" ] && export AWS_SHARED_CREDENTIALS_FILE=$HERE/secrets/aws
  mkdir -p "$STATE/status" "$TMPDIR"
}

# Told to people also while the errors of something else go to a file.
exec 3>&2
say() { echo "$*" >&3; }

# Who asks for something by hand may be cut off: `end` finds it all the same. Numbers are used again after a restart.
enter() {
  by_hand=$STATE/by-hand
  if [ -f "$by_hand" ] && read -r other <"$by_hand" && [ "$other" != $$ ] && is_ours "$other"; then
    say "error: a copy by hand or a restore is going on"
    exit 75
  fi
  echo $$ >"$by_hand"
}

leave() { rm -f "$STATE/by-hand"; }

is_ours() {
  { tr '\0' ' ' <"/proc/$1/cmdline" | grep 'backup[.]sh \(run\|check\|fetch\) ' | grep -qv ' run scheduled'; } 2>/dev/null
}

end() {
  seconds=0 # what was only just asked for may not have come so far
  while [ ! -f "$STATE/by-hand" ] && [ "$seconds" -lt 2 ]; do sleep 1; seconds=$((seconds + 1)); done
  [ -f "$STATE/by-hand" ] && read -r other <"$STATE/by-hand" && is_ours "$other" || return 0
  kill -TERM "$other"
  seconds=0
  while is_ours "$other" && [ "$seconds" -lt 30 ]; do sleep 1; seconds=$((seconds + 1)); done
}

# Restic tries for a quarter of an hour to reach a server, and says nothing meanwhile.
reach() {
  case $RESTIC_REPOSITORY in s3:*) ;; *) return 0 ;; esac
  scheme=${RESTIC_REPOSITORY#s3:}
  server=${scheme#*://}
  server=${server%%/*}
  case $server in
  *]) port= ;; # an address of version 6
  *:*) port=${server##*:} ;;
  *) port= ;;
  esac
  host=${server%"${port:+:$port}"}
  host=${host#[}
  host=${host%]}
  [ -n "$port" ] || case $scheme in http://*) port=80 ;; *) port=443 ;; esac
  case $(nc -w 10 "$host" "$port" -e true </dev/null 2>&1) in
  *"can't connect"* | *"bad address"* | *"timed out"*)
    say "error: the bucket's server $server does not answer"
    return 1
    ;;
  esac
}

# Restic, in the background and waited for: so a request to stop gets through to it at once.
restic() {
  [ -n "${reached:-}" ] || reach || return 1
  reached=yes
  (exec restic --option "s3.bucket-lookup=$BUCKET_LOOKUP" --retry-lock 2m "$@") &
  child=$!
  wait "$child" || return $?
}

stopped() {
  trap '' TERM INT
  [ -z "${child:-}" ] || kill -TERM "$child" 2>/dev/null || true
  wait || true
  tidy
  [ "$name" = scheduled ] || leave
  say "stopped; ${made:-no copy was made}"
  exit 130
}

tidy() {
  rm -rf "$DATA"/prometheus*-data/"$LINKS-$name" "$STATE/staged-$name"
  rmdir "$DATA"/prometheus*-data/snapshots 2>/dev/null || true
}

# Prometheus never changes a finished block, and only appends to its log. So links are a copy of one moment as long as
# no folder came or went, and no checkpoint was made, while they were being set: then they are set again.
link_prometheus() {
  data=$1
  attempt=0
  while :; do
    links=$data/$LINKS-$name
    rm -rf "$links"
    mkdir -p "$links"
    before=$(prometheus_folders)
    if link_all "$data/wal" "$links/wal" && link_all "$data/wbl" "$links/wbl" &&
      link_all "$data/chunks_head" "$links/chunks_head" && link_blocks && [ "$before" = "$(prometheus_folders)" ]; then
      find "$links" -type d -exec chmod 0755 {} + -exec chown "$(stat -c %u:%g "$data/wal")" {} +
      return 0
    fi
    attempt=$((attempt + 1))
    if [ "$attempt" -ge 30 ]; then
      say "error: Prometheus does not stop to rewrite its blocks; is its disk full? see its log"
      return 1
    fi
    sleep 2
  done
}

prometheus_folders() { (cd "$data" && ls -d ./*/meta.json wal/checkpoint.* 2>/dev/null; ls "$data/wal" | head -n 1) || true; }

link_all() {
  [ -d "$1" ] || return 0
  mkdir -p "$2" || return 1
  (cd "$1" && find . -type d ! -name '*.tmp*') | while read -r folder; do mkdir -p "$2/$folder" || exit 1; done || return 1
  (cd "$1" && find . -type f ! -path '*.tmp*') | while read -r file; do
    ln "$1/$file" "$2/$file" 2>/dev/null || exit 1
  done
}

# What a Thanos sidecar has uploaded is in the bucket already: it is named in the copy, and not copied.
link_blocks() {
  uploaded=$data/thanos.shipper.json
  for meta in "$data"/*/meta.json; do
    [ -f "$meta" ] || continue
    block=${meta%/meta.json}
    block=${block##*/}
    case $block in *.tmp*) continue ;; esac
    if [ -f "$uploaded" ] && grep -q "$block" "$uploaded"; then
      echo "$block" >>"$links/blocks-in-the-bucket"
    else
      link_all "$data/$block" "$links/$block" || return 1
    fi
  done
}

# Alertmanager writes its silences every 15 seconds, as a new file that takes the place of the old one.
await_silences() {
  data=$DATA/alertmanager-data
  [ -d "$data" ] || return 0
  seconds=0
  while [ -z "$(find "$data" -maxdepth 1 -name silences -newer "$staged/begin")" ]; do
    seconds=$((seconds + 1))
    if [ "$seconds" -gt 40 ]; then
      say "Alertmanager is not writing: its silences are those of its last moment"
      return 0
    fi
    sleep 1
  done
}

# SQLite writes in place. Two readings that are the same, with no transaction open at the end, are a copy of one moment.
copy_grafana() {
  data=$DATA/grafana-data
  [ -f "$data/grafana.db" ] || return 0
  attempt=0
  while :; do
    rm -f "$staged"/grafana.db*
    cp -p "$data/grafana.db" "$staged/" && { [ ! -f "$data/grafana.db-wal" ] || cp -p "$data/grafana.db-wal" "$staged/"; }
    if [ ! -s "$data/grafana.db-journal" ] && same_grafana; then return 0; fi
    attempt=$((attempt + 1))
    if [ "$attempt" -ge 60 ]; then
      say "error: Grafana's database changes without a pause; no copy of one moment could be made"
      return 1
    fi
    sleep 1
  done
}

# Grafana's database on a server is written into a volume, and read from it, by a program that knows its password.
ask() {
  data=$DATA/grafana-dump-data
  rm -f "$data/.answer-$name"
  echo "$1" >"$data/.new-$name"
  chmod 0644 "$data/.new-$name"
  mv "$data/.new-$name" "$data/.ask-$name"
  seconds=0
  while [ ! -f "$data/.answer-$name" ]; do
    seconds=$((seconds + 1))
    if [ "$seconds" -gt 60 ] && [ -f "$data/.ask-$name" ]; then
      rm -f "$data/.ask-$name"
      say "error: grafana-dump does not run, which alone reaches Grafana's database"
      return 1
    elif [ "$seconds" -gt 3600 ]; then
      say "error: Grafana's database was not done within an hour"
      return 1
    fi
    sleep 1
  done
  read -r told <"$data/.answer-$name" || true
  rm -f "$data/.answer-$name"
  [ "$told" = done ] || { say "error: Grafana's database: ${told#error: }"; return 1; }
}

same_grafana() {
  cmp -s "$data/grafana.db" "$staged/grafana.db" || return 1
  if [ -f "$data/grafana.db-wal" ] || [ -f "$staged/grafana.db-wal" ]; then
    cmp -s "$data/grafana.db-wal" "$staged/grafana.db-wal" || return 1
  fi
  [ ! -s "$data/grafana.db-journal" ]
}

have_repository() {
  code=0
  restic cat config >/dev/null 2>"$staged/errors" || code=$?
  if [ "$code" = "$NO_REPOSITORY" ]; then
    say "making a repository"
    restic init --quiet >&2
  elif [ "$code" != 0 ]; then
    cat "$staged/errors" >&2
    return "$code"
  fi
  # Locks of runs that died here; those of others stay until they are half an hour old.
  restic unlock --quiet >&2 || true
}

run() {
  name=$1
  staged=$STATE/staged-$name
  load
  [ "$name" = scheduled ] || enter
  trap stopped TERM INT
  tidy
  mkdir -p "$staged"
  started=$(date +%s)
  code=$NO_REPOSITORY
  [ "$name" != scheduled ] || [ "$(status success)" != 0 ] || { code=0 && adopt || code=$?; }
  if [ "$code" = 0 ]; then
    tidy
    trap - TERM INT
    return 0
  elif [ "$code" = "$NO_REPOSITORY" ]; then
    code=0
    copy || code=$?
  fi
  ended=$(date +%s)
  put_status ended "$ended"
  put_status started "$started"
  put_status duration $((ended - started))
  if [ "$code" = 0 ]; then
    made="the copy is made, but older ones may be left"
    put_status ok 1
    put_status success "$started"
    put_status size "$(sed -n 's/.*"total_bytes_processed":\([0-9]*\).*/\1/p' "$staged/summary")"
    cat "$staged/summary"
    thin || say "older copies could not be removed; the next run tries again"
  else
    put_status ok 0
  fi
  tidy
  trap - TERM INT
  [ "$name" = scheduled ] || leave
  return "$code"
}

# On a new machine, or in a new cluster, there may be copies that are still to be restored. One of what is here instead would
# be the newest, and would thin out those that are wanted; so the first one is made when its time comes. Where there are none,
# the code is that of a repository that is not there.
adopt() {
  restic snapshots --json --no-lock --host "observatory-$ENVIRONMENT" --tag observatory >"$staged/earlier" 2>"$staged/errors" || {
    code=$?
    [ "$code" = "$NO_REPOSITORY" ] || cat "$staged/errors" >&2
    return "$code"
  }
  newest=$(tr ',' '\n' <"$staged/earlier" | sed -n 's/.*"time":"\([0-9-]*\)T\([0-9:]*\).*/\1 \2/p' | sort | tail -n 1)
  [ -n "$newest" ] || return "$NO_REPOSITORY"
  taken=$(date -u -d "$newest" +%s) || return 1
  put_status started "$started"
  put_status ok 1
  put_status success "$taken"
  say "there are copies from before, the newest of $newest UTC: the next one is made at its time, restore is to find these"
}

copy() {
  have_repository || return $?
  for volume in $VOLUMES; do
    places "$volume"
    is_closed || continue
    say "error: $volume is half of each, as a restore was cut off; $FINISHES"
    return 1
  done
  touch "$staged/begin"
  mkdir -p "$staged/about"
  date +%s >"$staged/about/begin"
  cp "$HERE/stack.json" "$staged/about/"
  say "taking a copy of one moment"
  await_silences || return 1
  copy_grafana || return 1
  [ ! -d "$DATA/grafana-dump-data" ] || ask dump || return 1
  date +%s >"$staged/about/moment"
  set --
  for volume in $VOLUMES; do
    case $volume in
    prometheus-data | prometheus-*-data)
      link_prometheus "$DATA/$volume" || return 1
      set -- "$@" "$DATA/$volume/$LINKS-$name"
      ;;
    *) set -- "$@" "$DATA/$volume" ;;
    esac
  done
  say "encrypting and storing what is new"
  code=0
  restic backup --json --quiet --host "observatory-$ENVIRONMENT" --group-by host --tag "observatory,$name" --ignore-ctime \
    --exclude "$DATA/grafana-data/grafana.db*" --exclude "$DATA/grafana-data/png" --exclude "$DATA/grafana-data/csv" \
    --exclude "$DATA/grafana-data/pdf" --exclude "$DATA/grafana-dump-data/.*" --exclude "$DATA/*/lost+found" \
    --exclude "$DATA/*/.restored*" --exclude "$DATA/*/.backup/cache" \
    --exclude "$DATA/*/.backup/tmp" --exclude "$DATA/*/.backup/status" --exclude "$DATA/*/.backup/by-hand" "$@" "$staged/about" $(ls "$staged"/grafana.db* 2>/dev/null) \
    >"$staged/summary" 2>"$staged/errors" || code=$?
  if [ "$code" = 3 ]; then
    # Something could not be read: such a copy must not be taken for a whole one.
    id=$(sed -n 's/.*"snapshot_id":"\([0-9a-f]*\)".*/\1/p' "$staged/summary")
    [ -z "$id" ] || restic forget --quiet "$id" >&2
  fi
  [ "$code" = 0 ] || cat "$staged/errors" >&2
  return "$code"
}

thin() {
  # shellcheck disable=SC2086 # several words
  restic forget --quiet --host "observatory-$ENVIRONMENT" --group-by host --keep-within 2d $KEEP --prune >&2
}

put_status() {
  echo "$2" >"$STATE/status/.$1" && mv "$STATE/status/.$1" "$STATE/status/$1"
}

status() { cat "$STATE/status/$1" 2>/dev/null || echo 0; }

# A run is due once its time has come, also when that was while nothing ran here; after a failure again in an hour.
due() {
  now=$(date +%s)
  slot=$(((now - OFFSET) / PERIOD * PERIOD + OFFSET))
  [ ! -f "$FAILED" ] || [ -n "$(find "$FAILED" -mmin +60)" ] || return 1
  [ "$(status started)" -lt "$slot" ] || { [ "$(status ok)" = 0 ] && [ "$((now - $(status started)))" -gt 3600 ]; }
}

serve() {
  load || say "error: there is no room for the backup's own files"
  rm -f "$FAILED"
  case $(nc --help 2>&1) in *-lk*) persistent=-lk ;; *) persistent=-ll ;; esac
  trap 'kill -TERM $server ${job:-} ${pause:-} 2>/dev/null; wait; exit 0' TERM INT
  nc "$persistent" -p 9199 -e sh "$HERE/metrics.sh" &
  server=$!
  while :; do
    load || true
    if [ "$1" != idle ] && due; then
      sh "$HERE/backup.sh" run scheduled &
      job=$!
      if wait "$job"; then
        rm -f "$FAILED"
      else
        : >"$FAILED"
        say "the copy failed; it is tried again in an hour"
      fi
      job=
    fi
    sleep 15 &
    pause=$!
    wait "$pause" || true
    kill -0 "$server" || exit 1
  done
}

# The KiB that are free, then of each volume: files, and KiB in them.
look() {
  echo "free 0 $(df -Pk "$STATE" | awk 'NR == 2 {print $4}')"
  for volume; do
    files=$(of_volume -exec find {} -type f \; | wc -l)
    echo "$volume $files $(of_volume -exec du -sk {} + | awk '{sum += $1} END {print sum + 0}')"
  done
}

# A volume may be a file system of its own, and have the folder of one; what this script keeps there is not data.
of_volume() {
  find "$DATA/$volume" -mindepth 1 -maxdepth 1 ! -name .backup ! -name lost+found ! -name '.restored-*' "$@" 2>/dev/null
}

# Of one volume: half of a copy; all of the one with this id; all of it and wanted; old data is going for it; has gone.
# And a file for those that look in from outside, who cannot see that the volume is closed.
places() {
  target=$DATA/$1
  unfinished=$target/.restored-unfinished fetched=$target/.restored-fetched-${2:-}
  accepted=$target/.restored-accepted taken=$target/.restored-taken whole=$target/.restored-whole
  half=$target/.restored-half
}

# On Docker anybody may start a program at any time. It runs as the owner of its volume, who cannot enter this one until it
# is opened. The file is there only while it is closed.
close() {
  chmod u-x "$target"
  echo "A restore was cut off; $FINISHES" >"$half"
}

open() {
  rm -f "$half"
  chmod u+x "$target"
}

is_closed() { [ -n "$(find "$target" -maxdepth 0 ! -perm -100)" ]; }

interrupted() {
  trap '' TERM INT
  [ -z "${child:-}" ] || kill -TERM "$child" 2>/dev/null || true
  wait || true
  rm -rf "${unfinished:-}"
  leave
  say "stopped; nothing was ${doing}"
  exit 130
}

# What a program that is dead had locked is free again; a check wants all of the repository for itself.
check() {
  load
  enter
  doing=checked
  trap interrupted TERM INT
  code=0
  restic unlock --quiet >&2 || code=$?
  [ "$code" != 0 ] || restic check --quiet >&2 || code=$?
  [ "$code" != 0 ] || restic dump --archive tar "$1" / >/dev/null || code=$?
  leave
  return "$code"
}

# Not through a pipe, which would lose an error.
print() {
  load
  restic dump "$1" "$2" >"$TMPDIR/printed" && base64 "$TMPDIR/printed" && rm "$TMPDIR/printed"
}

fetch() {
  load
  enter
  doing=fetched
  drop "$2"
  places "$2" "$1"
  trap interrupted TERM INT
  mkdir -p "$unfinished"
  code=0
  restic restore --quiet --verify "$1:$3" --target "$unfinished" >&2 || code=$?
  if [ "$code" = 0 ] && [ -n "${4:-}" ]; then # Grafana's database stands beside the rest of its volume
    restic restore --quiet --verify "$1:$4" --include 'grafana.db*' --target "$unfinished" >&2 || code=$?
  fi
  trap - TERM INT
  if [ "$code" = 0 ]; then
    rm -rf "$unfinished/.backup"
    mv "$unfinished" "$fetched"
  else
    rm -rf "$unfinished"
  fi
  leave
  return "$code"
}

# A pod may be moved at any time: without this, what was fetched for a restore that came to nothing would be taken then.
accept() {
  places "$1" "$2"
  [ -d "$fetched" ] || { say "error: copy $2 is not fetched for $1; another restore may have taken its place"; exit 1; }
  sync -f "$fetched" 2>/dev/null || sync # or a power cut, once old data has gone for it, would leave names without contents
  touch "$fetched"
  mv "$fetched" "$accepted"
}

drop() {
  places "$1"
  rm -rf "$unfinished" "$fetched"* "$accepted"
}

# What is left of runs that were ended with their pod.
clean() {
  places "$1"
  rm -rf "$unfinished" "$fetched"* "$target/$LINKS"-* "$target"/.backup/staged-* "$target"/.backup/tmp "$target"/.backup/by-hand
}

# Whenever this is cut off, the next one goes on where it was: nothing is removed once the first file was put in place.
take() {
  places "$1"
  if [ -d "$accepted" ] && [ -z "$(find "$accepted" -maxdepth 0 -mmin -60)" ]; then
    say "a copy that was to be restored more than an hour ago is not taken any more"
    rm -rf "$accepted"
  fi
  if [ -d "$accepted" ]; then
    rm -rf "$taken" "$whole"
    mv "$accepted" "$taken"
  fi
  if [ -d "$taken" ]; then
    find "$target" -mindepth 1 -maxdepth 1 ! -name "${taken##*/}" ! -name "${half##*/}" ! -name .backup ! -name lost+found \
      -exec rm -rf {} +
    mv "$taken" "$whole"
  fi
  if [ -d "$whole" ]; then
    find "$whole" -mindepth 1 -maxdepth 1 -exec mv {} "$target/" \;
    rmdir "$whole"
  fi
}

# By a run of its own: what is still being fetched by one that nobody waits for any more takes nothing.
put() {
  trap '' TERM INT # it takes a moment, and half of it is nothing
  accept "$1" "$2"
  close
  take "$1"
  open
}

settle() {
  trap '' TERM INT
  for volume; do
    places "$volume"
    if is_closed; then
      [ ! -d "$accepted" ] || touch "$accepted"
      take "$volume"
      open
      echo "$volume"
    fi
    drop "$volume"
  done
}

command=$1
shift
case $command in
serve) serve "${1:-}" ;;
run) run "$1" ;;
restic) load && restic "$@" ;;
check) check "$1" ;;
print) print "$1" "$2" ;;
fetch) fetch "$@" ;;
accept) accept "$1" "$2" ;;
drop) drop "$1" ;;
take) clean "$1" && take "$1" ;;
put) put "$1" "$2" ;;
settle) settle "$@" ;;
end) load && end ;;
look) look "$@" ;;
load) name=load && ask load ;;
passed) load && put_status drill "$(date +%s)" ;;
*) say "no such command: $command" && exit 2 ;;
esac
