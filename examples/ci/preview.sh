#!/bin/sh
# Prints what `pulumi preview` says of each stack, as Markdown: its summary, and the changed lines folded away.
# Exits with 1 where a preview fails. Without a passphrase, as for a fork, there is none, which is said.
set -eu
if [ -z "${PULUMI_CONFIG_PASSPHRASE:-}${PULUMI_CONFIG_PASSPHRASE_FILE:-}" ]; then
  echo 'No `pulumi preview`: this job has no passphrase.'
  exit 0
fi
failed=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT
for stack in "$@"; do
  echo "## pulumi preview: $stack"
  echo
  if python3 -m toolchain exec --for preview -- \
    pulumi preview --stack "$stack" --diff --color never --non-interactive > "$said" 2>&1; then
    echo '````'
    sed -n '/^Resources:/,/^$/p' "$said"
    echo '````'
  else
    failed=1
    echo 'It **failed**:'
    echo
    echo '````'
    grep -A 20 -E '^ *error:|^Diagnostics:' "$said" || tail -n 20 "$said"
    echo '````'
  fi
  echo
  echo '<details><summary>Changed lines</summary>'
  echo
  echo '````diff'
  # The secrets of a stack are never in there; the first column tells what is added, removed and changed.
  grep -E '^ *[~+-]' "$said" | cut -c 1-300 | head -n 200 || echo 'none'
  echo '````'
  echo
  echo '</details>'
  echo
done
exit "$failed"
