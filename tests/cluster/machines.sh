#!/bin/bash
# Makes the fresh namespaces that `machines.py` runs it in look like a machine of their own: private home, /tmp and
# /dev/shm, a read-only interpreter that has the project's dependencies but not the project, and a folder that all
# machines share. Then it answers ssh, if it has an address, until it is killed.
#
#   machines.sh NAME FOLDER ADDRESS PREFIX...     PREFIX: the virtual environment, then what it was made from
set -eu
name=$1 folder=$2 address=$3 environment=$4  # an empty ADDRESS: the laptop, which answers nobody
shift 3

mine=$folder/$name
install -d -m 700 "$mine/mnt/home/.ssh"
install -d "$mine/mnt/shared"
install -d -m 1777 "$mine/tmp"
install -m 600 "$folder/key" "$mine/mnt/home/.ssh/key"
install -m 600 "$folder/key.pub" "$mine/mnt/home/.ssh/authorized_keys"
install -m 600 "$folder/hostkey" "$mine/mnt/hostkey"
printf 'export PATH=%q:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin\n' "$environment/bin" >"$mine/mnt/home/.bashrc"
printf 'source ~/.bashrc\n' >"$mine/mnt/home/.profile"
# The same user with another home, and never locked: sshd lets no locked account in.
sed -E 's|^root:([^:]*:[^:]*:[^:]*:[^:]*):[^:]*:.*|root:\1:/mnt/home:/bin/bash|' /etc/passwd >"$mine/passwd"
sed -E 's|^root:.*|root:*:20000:0:99999:7:::|' /etc/shadow >"$mine/shadow"
printf '127.0.0.1 localhost\n%s %s\n' "${address:-10.77.0.1}" "$name" >"$mine/hosts"
printf '%s\n' "$name" >"$mine/hostname"

for editable in "$environment"/lib/python3*/site-packages/__editable__*.pth; do
  [ -e "$editable" ] && mount --bind /dev/null "$editable"  # or a worker could find the project without being sent it
done
for prefix in "$@"; do
  if [[ $prefix == /tmp/* ]]; then  # it stays where it is, though /tmp becomes another
    mkdir -p "$mine$prefix"
    mount --rbind "$prefix" "$mine$prefix"
    prefix=$mine$prefix
  else
    mount --rbind "$prefix" "$prefix"
  fi
  mount -o remount,ro,bind "$prefix"
done
mount --rbind "$mine/mnt" /mnt
mount --bind "$folder/shared" /mnt/shared
for file in passwd shadow hosts hostname; do mount --bind "$mine/$file" "/etc/$file"; done
mount -t tmpfs tmpfs /dev/shm
hostname "$name"
ip link set lo up
mount --rbind "$mine/tmp" /tmp
cd /mnt/home
touch /mnt/ready
[ -n "$address" ] || exec sleep infinity
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f /dev/null -h /mnt/hostkey -p 22 -o PermitRootLogin=yes -o StrictModes=no \
  -o PidFile=none -o UsePAM=no
