import { ProviderError } from "../provider.ts";
import type { LxcPaths } from "./lxc-paths.ts";
import { runScript, type NodeShell } from "./node-shell.ts";
import { chooseSubnet } from "./subnet.ts";

const timeoutMs = 60_000;
const triesMax = 5;

/** An instance's place in the network of the bridge. */
export interface Address {
  readonly ip: string;
  readonly gateway: string;
}

/**
 * $1 lxcPath, $2 id, $3 bridge, $4 node's directory, $5 a free network ("10.64.7") or "". Prints "address IP GATEWAY". Where there is no
 * bridge yet and no network was named: "routes" and all that another network could collide with. "taken": it is not free any more.
 * The network is on record before it is used; a rule of the firewall is known by the bridge it names.
 */
const joinScript = `
lxc=$1 id=$2 bridge=$3 node=$4 subnet=$5 home=$1/$2
[ -d "$node" ] || mkdir -p -m 700 "$node"
exec 8>>"$node/lock"
flock -w 30 8 || no Busy "the network of $bridge is being changed by somebody for half a minute"
[ -e "$home/instance.json" ] || no NotFound "there is no instance $id"
recorded=
{ read -r recorded <"$node/subnet"; } 2>/dev/null
if [ -n "$recorded" ] && ip link show "$bridge" >/dev/null 2>&1; then
  subnet=$recorded
else
  if [ -z "$subnet" ]; then echo routes; ip -4 route show table all; ip -4 -o addr show; exit 0; fi
  echo "$subnet" >"$node/subnet"
  ip link del "$bridge" 2>/dev/null
  said=$({ ip link add "$bridge" type bridge && ip addr add "$subnet.1/24" dev "$bridge" && ip link set "$bridge" up; } 2>&1) || no NetworkFailed "the bridge $bridge cannot be made: $said; does 'modprobe bridge' work there?"
  # Another cluster may have found the same network free at the same moment.
  if [ "$(ip -4 -o addr show | grep -cF " $subnet.1/24 ")" != 1 ]; then ip link del "$bridge"; echo taken; exit 0; fi
fi
range=$subnet.0/24
if command -v iptables >/dev/null 2>&1; then
  if ! iptables -w 10 -t nat -C POSTROUTING -s "$range" ! -d "$range" -j MASQUERADE 2>/dev/null; then
    iptables -w 10 -t nat -A POSTROUTING -s "$range" ! -d "$range" -j MASQUERADE &&
    iptables -w 10 -I FORWARD -i "$bridge" -j ACCEPT &&
    iptables -w 10 -I FORWARD -o "$bridge" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  fi >/dev/null 2>&1
  echo 1 >/proc/sys/net/ipv4/ip_forward
elif command -v nft >/dev/null 2>&1; then
  nft list table ip "$bridge" >/dev/null 2>&1 || nft "add table ip $bridge; add chain ip $bridge out { type nat hook postrouting priority 100; }; add rule ip $bridge out ip saddr $range ip daddr != $range masquerade"
  echo 1 >/proc/sys/net/ipv4/ip_forward
fi
own=
{ read -r own _ <"$home/address"; } 2>/dev/null
used=" "
for each in "$lxc"/*/address; do
  [ "$each" != "$home/address" ] && { read -r ip _ <"$each"; } 2>/dev/null && used="$used$ip "
done
case $own in
  "$subnet".*) case $used in *" $own "*) own=;; esac;;
  *) own=;;
esac
n=2
while [ -z "$own" ] && [ $n -lt 255 ]; do
  case $used in *" $subnet.$n "*) ;; *) own=$subnet.$n;; esac
  n=$((n + 1))
done
[ -n "$own" ] || no AddressesExhausted "all 253 addresses of $range are given to instances; remove some"
echo "$own $subnet.1" >"$home/address.new" && mv "$home/address.new" "$home/address" || no NetworkFailed "the address cannot be recorded in $home"
echo "address $own $subnet.1"
`;

/** Takes away the bridge and its rules when no instance has an address of it. Needs lxc, bridge, node. */
export const leaveScript = `
exec 8>>"$node/lock"
flock -w 30 8 || no Busy "the network of $bridge is being changed by somebody for half a minute"
if ! ls "$lxc"/*/address >/dev/null 2>&1 && ip link show "$bridge" >/dev/null 2>&1; then
  read -r subnet <"$node/subnet"
  range=$subnet.0/24
  if command -v iptables >/dev/null 2>&1; then
    iptables -w 10 -t nat -D POSTROUTING -s "$range" ! -d "$range" -j MASQUERADE
    iptables -w 10 -D FORWARD -i "$bridge" -j ACCEPT
    iptables -w 10 -D FORWARD -o "$bridge" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
  fi >/dev/null 2>&1
  if command -v nft >/dev/null 2>&1; then nft delete table ip "$bridge" >/dev/null 2>&1; fi
  ip link del "$bridge"
  rm -f "$node/subnet"
fi
exec 8>&-
`;

/** Gives an instance its address, which it keeps as long as it can, and sees to it that the bridge is there. */
export async function joinNetwork(shell: NodeShell, paths: LxcPaths, id: string, signal: AbortSignal): Promise<Address> {
  const { lxcPath, bridge, node } = paths;
  let subnet = "";
  let seed = Number.parseInt(bridge.slice(2), 16);
  for (let tries = 0; tries < triesMax; tries++) {
    const said = await runScript(shell, joinScript, [lxcPath, id, bridge, node, subnet], { signal, timeoutMs });
    const [word = "", ip = "", gateway = ""] = said.trim().split(/\s/, 3);
    if (word === "address") return { ip, gateway };
    if (word === "taken") {
      seed++;
      subnet = "";
      continue;
    }
    const chosen = chooseSubnet(said, seed);
    if (chosen === undefined) throw new ProviderError("NetworkFailed", `every private network collides with a route of ${shell.transport.name}; name a bridge of the node in spec.lxc.bridge`, true);
    subnet = chosen;
  }
  throw new ProviderError("NetworkFailed", `networks on ${shell.transport.name} are taken as fast as they are found free`, true);
}
