#!/bin/sh
# Makes a node that has seen everything, for older_test.go, with the forgeone BINARY, out of the
# modules of wasmtest.Guests and Deep (deep-NAME) in the folder GUESTS:
#
#	sh seen.sh BINARY GUESTS OUT.tgz
set -e
f=$1 g=$2 out=$3
d=$(mktemp -d); cd "$d"
export HOME=$d/user FORGEONE_HOME=$d/node XDG_STATE_HOME= SOURCE_DATE_EPOCH=1700000000
mkdir user data
may() { "$@" > /dev/null 2>&1 || true; }
$f init > /dev/null
$f keygen -o acme.key > acme.pub; $f keygen -o ops.key > ops.pub; $f keygen -o bad.key > bad.pub
$f key add acme.pub --role publisher > /dev/null
$f key add bad.pub --role publisher > /dev/null
# Runs that end in each way.
for r in hello exit trap divide bounds exit200 growtable nomem segment stdin; do may $f run -q $g/$r.wasm < /dev/null; done
may $f run -q --fuel 100000 $g/loop.wasm
may $f run -q --deadline 100ms $g/loop.wasm
may $f run -q --deadline 100ms $g/sleep.wasm
may $f run -q $g/recurse.wasm
may $f run -q $g/deep-wide.wasm
may $f run -q $g/deny.wasm
may $f run -q $g/grow.wasm
may $f run -q --mount data:/data:rw $g/deny.wasm
printf 'permit (principal, action, resource);\nforbid (principal, action == Action::"path_open", resource);\n' > p.cedar
may $f run -q --policy p.cedar --mount data:/data $g/deny.wasm
$f run -q $g/sleep.wasm 2> /dev/null & sleep 0.7; $f stop last --reason 'no more' > /dev/null 2>&1; wait || true
$f run -q $g/sleep.wasm 2> /dev/null & p=$!; sleep 0.7; kill -9 $p; wait || true
# Packages: installed, taken back, revoked, removed.
for v in 1.0.0 2.0.0; do $f pack $g/hello.wasm -o app-$v.pkg --name app --version $v --key acme.key > /dev/null; done
$f pack $g/exit.wasm -o gone-1.pkg --name gone --version 1.0.0 --key acme.key > /dev/null
$f pack $g/trap.wasm -o bad-1.pkg --name bad --version 1.0.0 --key bad.key > /dev/null
$f pack $g/nomem.wasm -o rev-1.pkg --name rev --version 1.0.0 --key acme.key > /dev/null
$f install app-1.0.0.pkg > /dev/null; $f run -q app; $f install app-2.0.0.pkg > /dev/null; $f run -q app
$f downgrade app --to 1000000000001 > /dev/null; $f install app-1.0.0.pkg > /dev/null; $f run -q app
for p in gone bad rev; do $f install $p-1.pkg > /dev/null; may $f run -q $p; done
$f uninstall gone > /dev/null
$f revoke make --key acme.key -o acme.list --package rev-1.pkg --reason 'leaks' > /dev/null; $f revoke import acme.list > /dev/null
$f key revoke bad --reason 'laptop stolen' > /dev/null
# The log's keys, witnesses.
$f key rotate > /dev/null; $f run -q $g/hello.wasm
$f log witness list | sed -n 's/^log //p' > log.vkey
$f log witness serve --listen 127.0.0.1:0 --dir w1 --name w.example.org --log log.vkey > /dev/null 2>&1 & w=$!
until test -s w1/address && test -s w1/vkey; do sleep 0.05; done
$f log witness add w1/vkey "$(cat w1/address)" > /dev/null
$f log witness quorum 1 > /dev/null; $f log witness sync > /dev/null
$f key rotate --post-quantum > /dev/null; $f log witness sync > /dev/null; $f run -q $g/hello.wasm
kill $w; wait || true
# Holds and budgets.
$f hold last --reason 'case 4711' > /dev/null
printf 'format: 1\nretention: {total: 1MiB, workload: 8KiB}\n' > tiny.yaml; $f init --config tiny.yaml > /dev/null
for i in 1 2 3 4 5 6 7 8; do may $f run -q $g/deny.wasm; done
$f prune > /dev/null
# Two must sign from here on.
$f key add ops.pub --role operator > /dev/null; $f key threshold 2 > /dev/null
$f key remove developer --draft c.act > /dev/null; $f key sign c.act > /dev/null; $f key sign c.act --key ops.key > /dev/null; $f key apply c.act > /dev/null
$f log verify --semantics > /dev/null; $f doctor > doctor.txt || { cat doctor.txt; }
rm -rf node/cache/*.code node/cache/tiles
mkdir other; cp app-*.pkg gone-1.pkg bad-1.pkg rev-1.pkg ops.key acme.key other/
tar czf "$out" node other
cd /; rm -rf "$d"
