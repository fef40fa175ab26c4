# Files, a database on files, links, compression, JSON, hashes, tracebacks.
import hashlib, json, os, pathlib, shutil, sqlite3, zlib

os.chdir("/work")
db = sqlite3.connect("/work/t.db")
db.execute("create table t(a integer primary key, b text)")
with db:
    db.executemany("insert into t(b) values(?)", [(f"row {i}",) for i in range(5000)])
try:
    with db:
        db.execute("delete from t")
        raise KeyError("rolled back")
except KeyError as e:
    print(e)
print(db.execute("select count(*), sum(a) from t").fetchone())
db.close()
p = pathlib.Path("d/e/f")
p.mkdir(parents=True)
(p / "x.json").write_text(json.dumps({"k": list(range(1000))}))
print(len(json.loads((p / "x.json").read_text())["k"]))
for root, ds, fs in os.walk("."):
    print(root, sorted(ds), sorted(fs))
shutil.copytree("d", "copy")
shutil.rmtree("d")
b = zlib.compress(b"hello" * 10000)
print(len(b) < 200, hashlib.sha3_256(zlib.decompress(b)).hexdigest())
os.symlink("t.db", "l")
print(os.readlink("l"), os.path.samefile("l", "t.db"), os.lstat("l").st_size)
os.rename("l", "m")
os.unlink("m")
with open("a", "ab") as f:
    f.write(b"1")
with open("a", "r+b") as f:
    f.truncate(3)
    f.seek(0, 2)
    print(f.tell())
for name in "/secret", "/usr/../secret", "/work/../../secret":
    try:
        open(name)
    except OSError as e:
        print(type(e).__name__)
