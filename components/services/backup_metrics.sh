# Answers one request with the metrics of the last run; nc starts this for each connection.
while read -r -t 2 line && [ "${line%?}" ]; do :; done
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n\r\n'
STATUS=${STATE:-/var/lib/backup}/status
. "${HERE:-/etc/backup/current}/settings"
value() { cat "$STATUS/$1" 2>/dev/null || echo 0; }
tell() { printf '# TYPE %s gauge\n%s{service="observatory",backup="%s"} %s\n' "$1" "$1" "$BACKUP" "$2"; }
tell backup_last_success_timestamp_seconds "$(value success)"
tell backup_last_drill_success_timestamp_seconds "$(value drill)"
[ -f "$STATUS/ended" ] || exit 0
tell backup_last_run_timestamp_seconds "$(value ended)"
[ ! -f "${FAILED:-/tmp/backup-failed}" ] && ok=$(value ok) || ok=0
tell backup_last_run_success "$ok"
tell backup_last_run_duration_seconds "$(value duration)"
[ -f "$STATUS/size" ] || exit 0
tell backup_size_bytes "$(value size)"
