var made = [1, 2, 3].map(function (n) { return function () { return n * n } })
console.log(made.map(function (f) { return f() }).join("+"))
console.log("2026-12-01".replace(/(\d+)-(\d+)-(\d+)/, "$3.$2.$1"), JSON.stringify({ a: [1, { b: null }] }))
try { undefinedName() } catch (e) { console.log(e.name) }
