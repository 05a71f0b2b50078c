#!/usr/bin/env bash
# What docs/recording.cast shows, from a new stack to a drill: asciinema rec --overwrite --command docs/recording.sh docs/recording.cast
set -euo pipefail
cd "$(dirname "$0")/.."
eval "$(python3 -m toolchain env)"

show() {
    printf '\n\033[1m$ %s\033[0m\n' "$1"
    sleep 1
    bash -c "$1"
    sleep 2
}
end() {
    docker rm --force shop-inbox > /dev/null 2>&1 || true
}
trap end EXIT

show './observatory new shop --demo --channel inbox=webhook --yes'
show 'pulumi stack init shop && echo http://shop-inbox:8080/ | pulumi config set --secret observatory:webhookUrl --stack shop'
show 'make up STACK=shop | tail -22'
show 'docker run -d --name shop-inbox --network observatory-shop -v "$PWD/examples/tutorial:/tutorial:ro" --entrypoint python localhost/observatory/demo-python:1.0.0 /tutorial/inbox.py'
show './observatory drill shop ServiceDown BackupStale --timeout 60'
show 'docker logs shop-inbox'
show './observatory doctor shop'
show 'docker rm --force shop-inbox && ./observatory destroy shop --delete-data --yes | tail -3'
