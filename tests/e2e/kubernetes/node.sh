#!/bin/sh
# The first process of the machine that tests/e2e/kubernetes/node.py makes: what it sees of the real one is set here.
# Its folder is the argument; PATH leads to containerd and the CNI plugins.
set -eu
folder=$1

# What this machine's own programs have mounted there would be held for as long as this one runs.
awk '$2 ~ "^/(run|var)/" { print $2 }' /proc/mounts | sort -r | xargs -r umount --lazy
mount --make-rshared / # within this machine alone; kubelets ask for it
for part in var run; do
  mount --rbind "$folder/$part" "/$part"
done
# Settings of the whole kernel, which the kubelet changes where they are others: it is shown what it wants to see.
while read -r setting value; do
  echo "$value" >"$folder/settings/$(basename "$setting")"
  mount --bind "$folder/settings/$(basename "$setting")" "/proc/sys/$setting"
done <<END
kernel/keys/root_maxbytes 25000000
kernel/keys/root_maxkeys 1000000
kernel/panic 10
kernel/panic_on_oops 1
vm/overcommit_memory 1
vm/panic_on_oom 0
END
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo ready
exec sleep infinity
