// Run on the node by sh, busybox's too. Exit codes: 4 no such image, 5 another checksum (the one it has is printed), 6 no program to
// fetch with, 7 the server says that there is no such thing.

/**
 * $1 file, $2 its sha256 or "", $3 directory for what is remembered. Checks once: the file is known again by its size, time
 * and inode.
 */
export const checkedPathScript = `
[ -f "$1" ] || [ -b "$1" ] || exit 4
[ -r "$1" ] || { echo "permission denied" >&2; exit 1; }
[ -n "$2" ] || exit 0
is=$(stat -L -c '%s-%Y-%i' "$1") || exit 1
kept=$3/checked-$(printf '%s' "$1" | sha256sum | cut -c1-24)
was=
[ -f "$kept" ] && read -r was sum < "$kept"
if [ "$was" != "$is" ]; then
  sum=$(sha256sum < "$1" | cut -d' ' -f1)
  mkdir -p "$3" && printf '%s %s\\n' "$is" "$sum" > "$kept.$$" && mv -f "$kept.$$" "$kept"
fi
[ "$sum" = "$2" ] || { echo "$sum"; exit 5; }
`;

/**
 * $1 directory, $2 key of source and checksum, $3 URL, $4 sha256 or "", $5 pull policy, $6 most seconds. Prints what it does, then
 * "file PATH". One at a time fetches one image; whoever waited takes what is there then.
 */
export const fetchScript = `
mkdir -p "$1" && cd "$1" || exit 1
dir=$PWD key=$2 url=$3 want=$4 policy=$5 seconds=$6
known() { name=; [ -f "$key.source" ] && read -r name < "$key.source" && [ -n "$name" ] && [ -f "$name" ]; }
[ "$policy" != Always ] && known && { echo "file $dir/$name"; exit 0; }
[ "$policy" = Never ] && exit 4
exec 9>"$key.lock"
flock 9
[ "$policy" != Always ] && known && { echo "file $dir/$name"; exit 0; }
part=$key.part
trap 'kill $fetcher 2>/dev/null; rm -f "$part" "$part.log"' EXIT
echo pulling
if command -v curl >/dev/null 2>&1; then timeout "$seconds" curl -fsSL --proto '=http,https' -o "$part" -- "$url" 2>"$part.log" &
elif command -v wget >/dev/null 2>&1; then timeout "$seconds" wget -q -O "$part" -- "$url" 2>"$part.log" &
else exit 6
fi
fetcher=$!
while kill -0 $fetcher 2>/dev/null; do
  [ -f "$part" ] && echo "bytes $(stat -c %s "$part")"
  sleep 0.5
done
wait $fetcher || {
  code=$?
  cat "$part.log" >&2
  grep -q '40[34]\\|410' "$part.log" && exit 7
  exit $code
}
sum=$(sha256sum < "$part" | cut -d' ' -f1)
[ -z "$want" ] || [ "$sum" = "$want" ] || { echo "is $sum"; exit 5; }
chmod 0600 "$part" && mv -f "$part" "$sum.img" && echo "$sum.img" > "$key.new" && mv -f "$key.new" "$key.source" || exit 1
echo pulled
echo "file $dir/$sum.img"
`;
