set -e
cd /work
for d in a b c; do
  for i in 1 2 3; do
    echo "$d $i" >"$d$i.txt"
  done
done
echo more >>a1.txt
n=0
for f in *.txt; do
  while read -r word rest; do
    n=$((n + 1))
  done <"$f"
done
echo "lines $n"
case "$(echo [ab]*.txt)" in
a1.txt*b3.txt) echo globbed ;;
esac
f() { local x=$1; [[ $x =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[2]}-${x^^}"; }
f abc42
[ -e /etc/passwd ] || echo 'no passwd'
