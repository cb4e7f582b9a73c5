#!/bin/sh
# Installs what tests and benchmarks need. As root on Debian: real engines and tools, from Debian's packages. Otherwise:
# says what is missing; what needs it is then skipped, counted and printed (with CI=true tests fail instead).
set -eu
cd "$(dirname "$0")/.."

# program:package, more of them as arguments — the program is what is looked for, the package is what brings it.
wanted="dockerd:docker.io iptables:iptables busybox:busybox-static ip:iproute2 setsid:util-linux bash:bash zsh:zsh fish:fish etcd:etcd-server sshd:openssh-server socat:socat lxc-start:lxc newuidmap:uidmap csh:csh docker-registry:docker-registry kubectl:kubernetes-client qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils dropbear:dropbear-bin mkfs.ext4:e2fsprogs mmdebstrap:mmdebstrap syslinux:syslinux mcopy:mtools lz4:lz4 $*"
missing=""
for each in $wanted; do
  program=${each%%:*}
  package=${each#*:}
  # Debian keeps daemons where an ordinary user's PATH does not look.
  if ! PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1; then missing="$missing $package"; fi
done

# A package's own files, where it brings no program of a name of its own.
[ -e /usr/share/lxc/templates/lxc-busybox ] || missing="$missing lxc-templates"
[ -e /usr/lib/syslinux/mbr/mbr.bin ] || missing="$missing syslinux-common"

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "test setup: installing Debian packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # Packages that bring a daemon try to start it; the tests start their own, so nothing may be left running.
    guard=/usr/sbin/policy-rc.d
    made_guard=""
    if [ ! -e "$guard" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$guard"
      chmod 755 "$guard"
      made_guard=1
    fi
    trap '[ -z "$made_guard" ] || rm -f "$guard"' EXIT
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      echo "test setup: apt-get could not install:$missing (its last words are above)" >&2
      exit 1
    fi
    rm -f "$log"
  else
    echo "test setup: not installed here, so the tests that need it will be skipped:"
    for package in $missing; do echo "  $package"; done
    echo "  as root on Debian: apt-get install$missing"
  fi
fi

# Containers whose root is nobody outside need ids for that, which Debian gives to ordinary users only: a range behind all of theirs.
if [ "$(id -u)" = 0 ] && command -v newuidmap >/dev/null 2>&1; then
  for file in /etc/subuid /etc/subgid; do
    grep -qs '^root:' "$file" || awk -F: 'BEGIN { next_id = 100000 } $2 + $3 > next_id { next_id = $2 + $3 } END { print "root:" next_id ":65536" }' "$file" >>"$file"
  done
fi
