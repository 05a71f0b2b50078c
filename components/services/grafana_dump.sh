# Writes Grafana's database into a volume when the backup asks for it, and back. Needs PostgreSQL and a busybox.
#
#   grafana_dump.sh serve      do what is asked for: a file .ask-NAME says `dump` or `load`, .answer-NAME how that ended
#   grafana_dump.sh metrics    answer one request of Prometheus; nc starts this for each connection
#   grafana_dump.sh prove      load what is in the volume into a server of its own, which vanishes, and count dashboards
set -eu
umask 077
HERE=${HERE:-/etc/grafana-dump/current}
DATA=${DATA:-/dump}
SCRATCH=${SCRATCH:-/tmp}
DUMP=$DATA/grafana.sql

say() { echo "$*" >&2; }

# Read anew each time: so a rotated password is taken up.
connect() {
  set -a
  . "$HERE/settings"
  PGPASSFILE=$SCRATCH/password PGCONNECT_TIMEOUT=10 PGAPPNAME=observatory-backup
  set +a
  printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' "$HERE/secrets/password")" >"$PGPASSFILE"
}

dump() {
  connect
  rm -f "$DUMP.new"
  pg_dump --clean --if-exists --no-owner --no-privileges --lock-wait-timeout=60000 --file="$DUMP.new"
  mv "$DUMP.new" "$DUMP"
}

# All of it or nothing: one transaction, which is never ended where reading the file fails. Tables that a newer Grafana
# has made since would be in the way of its own migrations. A setting that older servers do not know is left out.
statements() {
  tail -n 8 "$DUMP" | grep -q '^-- PostgreSQL database dump complete' || { say "$DUMP is not whole"; return 1; }
  cat <<'SQL' || return 1
BEGIN;
DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
  LOOP EXECUTE 'DROP TABLE IF EXISTS ' || one.name || ' CASCADE'; END LOOP;
END $$;
SQL
  sed '1,40s/^SET transaction_timeout = 0;$//' "$DUMP" || return 1
  echo 'COMMIT;'
}

# A shell tells of a pipe only how its last part ended.
put() {
  rm -f "$SCRATCH/failed"
  { statements || touch "$SCRATCH/failed"; } |
    PGOPTIONS='--client-min-messages=warning' psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -f -
  [ ! -e "$SCRATCH/failed" ]
}

load() {
  connect
  put
}

prove() {
  server=$DATA/.proof
  rm -rf "$server"
  trap 'pg_ctl -D "$server" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$server"' EXIT
  trap 'exit 130' TERM INT
  initdb -D "$server" -U proof --auth=trust --encoding=UTF8 --locale=C --no-sync >"$SCRATCH/log" 2>&1 || { cat "$SCRATCH/log" >&2; return 1; }
  pg_ctl -D "$server" -w -l "$SCRATCH/log" -o "-c listen_addresses= -c unix_socket_directories=$SCRATCH -c fsync=off \
    -c shared_buffers=16MB -c max_connections=10" start >/dev/null || { cat "$SCRATCH/log" >&2; return 1; }
  export PGHOST=$SCRATCH PGUSER=proof PGDATABASE=postgres
  put
  psql -X -A -t -c 'SELECT count(*) FROM dashboard WHERE NOT is_folder'
}

answer() {
  echo "$2" >"$DATA/.new-$1"
  mv "$DATA/.new-$1" "$DATA/.answer-$1"
  rm -f "$DATA/.doing-$1"
}

# What follows the error itself are hints.
reason() { grep -i 'error\|fatal' "$SCRATCH/errors" | tail -n 1 | grep . || tail -n 1 "$SCRATCH/errors" | grep . || echo "no reason given"; }

stopped() {
  kill -TERM "$server" ${job:-} 2>/dev/null || true
  [ -z "${name:-}" ] || answer "$name" "error: grafana-dump was stopped"
  exit 0
}

serve() {
  name='' job='' server=''
  for doing in "$DATA"/.doing-*; do
    [ ! -f "$doing" ] || answer "${doing##*/.doing-}" "error: grafana-dump was ended in the middle"
  done
  trap stopped TERM INT
  case $(nc --help 2>&1) in *-lk*) persistent=-lk ;; *) persistent=-ll ;; esac
  nc "$persistent" -p 9198 -e sh "$0" metrics &
  server=$!
  while kill -0 "$server" 2>/dev/null; do
    for ask in "$DATA"/.ask-*; do
      [ -f "$ask" ] || continue
      name=${ask##*/.ask-}
      read -r what <"$ask" || true
      mv "$ask" "$DATA/.doing-$name"
      sh "$0" "$what" 2>"$SCRATCH/errors" &
      job=$!
      code=0
      wait "$job" || code=$?
      cat "$SCRATCH/errors" >&2
      if [ "$code" = 0 ]; then answer "$name" done; else answer "$name" "error: $(reason)"; fi
      name='' job=''
    done
    sleep 1 &
    wait $! || true
  done
  return 1
}

metrics() {
  while read -r -t 2 line && [ "${line%?}" ]; do :; done
  printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n'
  [ -f "$DUMP" ] || return 0
  printf '# TYPE grafana_dump_size_bytes gauge\ngrafana_dump_size_bytes %s\n' "$(stat -c %s "$DUMP")"
  printf '# TYPE grafana_dump_timestamp_seconds gauge\ngrafana_dump_timestamp_seconds %s\n' "$(stat -c %Y "$DUMP")"
}

command=$1
case $command in
serve) serve ;;
metrics) metrics ;;
dump) dump ;;
load) load ;;
prove) prove ;;
*) say "no such command: $command" && exit 2 ;;
esac
