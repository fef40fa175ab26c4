// Regular expressions, maps, closures, sorting, JSON, exceptions.
var text = "the quick brown fox jumps over the lazy dog and the dog sleeps";
var count = {};
text.replace(/[a-z]+/g, function (w) { count[w] = (count[w] || 0) + 1; return w; });
var words = Object.keys(count).sort(function (a, b) { return count[b] - count[a] || (a < b ? -1 : 1); });
console.log(JSON.stringify(words.slice(0, 3).map(function (w) { return [w, count[w]]; })));
try { null.x; } catch (e) { console.log(e instanceof TypeError); }
var sum = 0;
for (var i = 0; i < 300000; i++) { sum = (sum * 31 + i) % 1000003; }
console.log(sum);
