#!/usr/bin/env python3
"""Verifies an export of an evidence log.

Written from docs/FORMATS.md alone ("CBOR", "Evidence log", "Records"), with
Python's standard library; openssl verifies Ed25519. It shares no code with
ForgeOne. Of ML-DSA-44 signatures it demands that they are there and have the
right key id and length; most versions of openssl can't verify them.

    verify_export.py DIR KEY...

KEY is a public key that the log is known by, f1pub-ed25519:..., or a verifier
key. Prints "verified: N records" and exits 0, or the place of what is wrong and
exits 1; 2 for wrong usage.
"""

import base64
import binascii
import hashlib
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile

MAX_ENTRY = 65535
MAX_CHECKPOINT = 128 << 10
MAX_TERMS = 10000

# kind: (name, fields that are always there, fields that may be left out).
KINDS = {
    1: ("log.genesis", {1, 2}, set()),
    2: ("log.recovered", {1, 2, 3, 4}, set()),
    3: ("log.sealed", {1, 2, 3}, set()),
    4: ("log.key", {1, 2, 4, 5, 6}, {3, 7}),
    10: ("key.add", {1, 2, 3, 4, 5}, {6, 7, 8}),
    11: ("key.remove", {1}, {2}),
    12: ("config.set", {1, 2}, set()),
    13: ("policy.set", {1, 2}, set()),
    14: ("key.revoke", {1}, {2, 3}),
    15: ("key.threshold", {1}, {2}),
    16: ("log.witnesses", {1}, {2, 3}),
    20: ("package.install", {1, 2, 3, 4, 5, 6, 7, 8}, set()),
    21: ("package.uninstall", {1}, set()),
    22: ("package.revoke", {1, 2, 3, 4, 5}, {6}),
    23: ("package.downgrade", {1, 2, 3}, {4}),
    30: ("run.start", set(range(1, 14)), set()),
    31: ("run.end", {1, 2, 3, 4, 5, 7, 8, 9, 10, 13}, {6, 11, 12}),
    32: ("run.denial", {1, 2, 3, 4, 5, 6, 7}, set()),
    33: ("trust.change", {1, 2, 3, 4}, set()),
    34: ("run.stop", {1}, {2}),
    35: ("run.hold", {1}, {2}),
    36: ("run.unhold", {1}, {2}),
    37: ("recording.drop", {1, 2, 3, 4, 5}, set()),
}


class Bad(Exception):
    """What is wrong, and where."""

    def __init__(self, place, what):
        super().__init__(f"{place}: {what}")


# --- CBOR -------------------------------------------------------------------


class Reader:
    """Reads deterministic CBOR (RFC 8949, 4.2.1) and nothing else."""

    def __init__(self, data):
        self.data, self.at, self.elements = data, 0, 0

    def take(self, n):
        if n > len(self.data) - self.at:
            raise ValueError("the CBOR ends too early")
        b = self.data[self.at : self.at + n]
        self.at += n
        return b

    def head(self):
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if low < 24:
            return major, low
        if low > 27:
            raise ValueError("an indefinite or reserved length")
        n = 1 << (low - 24)
        v = int.from_bytes(self.take(n), "big")
        if major != 7 and v < (24, 1 << 8, 1 << 16, 1 << 32)[low - 24]:
            raise ValueError("a number is not in its shortest form")
        if major == 7:
            raise ValueError("a float or a long simple value")
        return major, v

    def item(self, depth=0):
        if depth > 16:
            raise ValueError("nested too deep")
        self.elements += 1
        if self.elements > 1 << 16:
            raise ValueError("too many elements")
        major, v = self.head()
        if major == 0:
            return v
        if major == 1:
            return -1 - v
        if major == 2:
            return self.take(v)
        if major == 3:
            return self.take(v).decode("utf-8", "strict")
        if major == 4:
            return [self.item(depth + 1) for _ in range(self.count(v))]
        if major == 5:
            return self.map(self.count(v), depth)
        if major == 7 and v in (20, 21):
            return v == 21
        raise ValueError("a tag or an unknown simple value")

    def count(self, n):
        if n > len(self.data) - self.at:
            raise ValueError("more elements than bytes")
        return n

    def map(self, n, depth):
        out, last = {}, b""
        for _ in range(n):
            start = self.at
            key = self.item(depth + 1)
            raw = self.data[start : self.at]
            if raw <= last:
                raise ValueError("the keys of a map do not ascend")
            if not isinstance(key, (int, str, bytes)) or isinstance(key, bool):
                raise ValueError("a key of a map is neither number nor text")
            last = raw
            out[key] = self.item(depth + 1)
        return out


def decode(data):
    r = Reader(data)
    item = r.item()
    if r.at != len(data):
        raise ValueError("bytes follow the record")
    return item


# --- keys and signatures ------------------------------------------------------


def named(domain, *parts):
    """SUM(domain, parts): SHA3-256 behind a domain."""
    d = domain.encode()
    return hashlib.sha3_256(bytes([len(d)]) + d + b"".join(parts)).digest()


def key_id(key):
    return named("forgeone/key-id/v1", b"ed25519\0", key)


def note_hash(origin, key, kind=1):
    return hashlib.sha256(origin.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def verifies(key, message, signature):
    """Ed25519, by openssl."""
    if len(key) != 32 or len(signature) != 64:
        return False
    with tempfile.TemporaryDirectory() as d:
        path = {n: os.path.join(d, n) for n in ("key", "message", "signature")}
        der = binascii.unhexlify("302a300506032b6570032100") + key
        for name, b in (("key", der), ("message", message), ("signature", signature)):
            with open(path[name], "wb") as f:
                f.write(b)
        r = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER",
             "-inkey", path["key"], "-sigfile", path["signature"], "-in", path["message"]],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=60, check=False,
        )
        return r.returncode == 0


def strict64(text):
    b = base64.b64decode(text, validate=True)
    if base64.b64encode(b).decode() != text:
        raise ValueError("base64 that is not in its one form")
    return b


def parse_key(text):
    """A key as people hand it on."""
    text = text.strip()
    if text.startswith("f1pub-ed25519:"):
        key = strict64(text.removeprefix("f1pub-ed25519:"))
    else:
        name, digest, b64 = text.split("+", 2)
        b = strict64(b64)
        key = b[1:]
        if b[:1] != b"\x01" or note_hash(name, key).hex() != digest:
            raise ValueError("not the verifier key of a log")
    if len(key) != 32:
        raise ValueError("not an Ed25519 key")
    return key


# --- the folder ---------------------------------------------------------------


class Folder:
    def __init__(self, path):
        self.path = path

    def read(self, name, limit):
        """Reads a regular file; None if there is none of that name."""
        try:
            fd = os.open(os.path.join(self.path, name), os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise Bad(name, f"can't be read: {e.strerror}") from None
        with os.fdopen(fd, "rb") as f:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Bad(name, "is not a regular file")
            b = f.read(limit + 1)
        if len(b) > limit:
            raise Bad(name, f"is longer than {limit} bytes")
        return b

    def tile(self, level, n, width, limit):
        """Reads a tile of that width; returns its name, bytes, and whether it
        is a full one in the place of a partial one."""
        groups = [f"{n % 1000:03d}"]
        rest = n // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        full = "/".join(["tile", level] + groups)
        name = full if width == 256 else f"{full}.p/{width}"
        b = self.read(name, limit)
        if b is None and width < 256:
            b = self.read(full, limit)
            if b is not None:
                return full, b, True
        if b is None:
            raise Bad(name, "is missing")
        return name, b, False


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def perfect(hashes):
    while len(hashes) > 1:
        hashes = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


class Tree:
    """An RFC 6962 tree that grows, and the tiles that it makes."""

    def __init__(self, folder):
        self.folder, self.size, self.stack, self.levels = folder, 0, [], []

    def push(self, h):
        self.add(0, h)
        self.size += 1
        n = self.size
        while n % 2 == 0:
            h = node(self.stack.pop(), h)
            n //= 2
        self.stack.append(h)

    def add(self, level, h):
        if level == len(self.levels):
            self.levels.append([0, []])
        tile = self.levels[level]
        tile[1].append(h)
        if len(tile[1]) == 256:
            self.check(level)
            self.add(level + 1, perfect(tile[1]))
            tile[0], tile[1] = tile[0] + 1, []

    def check(self, level):
        n, hashes = self.levels[level]
        width = len(hashes)
        if width == 0:
            return
        name, b, instead = self.folder.tile(str(level), n, width, 256 * 32)
        if len(b) != (256 if instead else width) * 32:
            raise Bad(name, f"has {len(b)} bytes")
        for i, h in enumerate(hashes):
            if b[32 * i : 32 * i + 32] != h:
                raise Bad(name, f"hash {i} is not that of the records")

    def root(self):
        if not self.stack:
            return hashlib.sha256(b"").digest()
        h = self.stack[-1]
        for left in reversed(self.stack[:-1]):
            h = node(left, h)
        return h


# --- the log --------------------------------------------------------------------


def valid_origin(s):
    return (
        0 < len(s.encode()) <= 255
        and "+" not in s
        and not any(c.isspace() or ord(c) < 0x20 or ord(c) == 0x7F for c in s)
    )


class Checkpoint:
    def __init__(self, b):
        if b is None:
            raise Bad("checkpoint", "is missing")
        try:
            note = b.decode("utf-8", "strict")
            text, signatures = note.split("\n\n", 1)
            self.text = (text + "\n").encode()
            self.origin, size, root = text.split("\n")
            if not re.fullmatch("[1-9][0-9]{0,18}", size):
                raise ValueError("the size is no number, or 0")
            self.size, self.root = int(size), strict64(root)
            if not valid_origin(self.origin) or len(self.root) != 32 or self.size >= 1 << 63:
                raise ValueError("the origin, size or root cannot be right")
            if not signatures.endswith("\n"):
                raise ValueError("the last line is cut off")
            self.signatures = []
            for line in signatures[:-1].split("\n"):
                dash, name, b64 = line.split(" ")
                if dash != "\u2014":
                    raise ValueError("a signature line begins otherwise")
                self.signatures.append((name, strict64(b64)))
        except ValueError as e:
            raise Bad("checkpoint", f"is malformed: {e}") from None

    def signed_by(self, key):
        want = note_hash(self.origin, key)
        return any(
            name == self.origin and s[:4] == want and verifies(key, self.text, s[4:])
            for name, s in self.signatures
        )


    def has_post(self, key):
        """Whether there are lines of the ML-DSA-44 key, and each could be one."""
        want = note_hash(self.origin, key, 6)
        lines = [s for name, s in self.signatures if name == self.origin and s[:4] == want]
        return lines != [] and all(len(s) == 4 + 8 + 2420 and s[4] < 0x80 for s in lines)


class Log:
    """Follows the records of a log."""

    def __init__(self, origin, tree):
        self.origin, self.tree = origin, tree
        self.time, self.sealed = None, 0
        self.terms = []  # (key, index of the first record that it vouches for)
        self.posts = []  # the ML-DSA-44 keys of the terms; b"" where there is none

    def follow(self, entry):
        index = self.tree.size
        try:
            r = decode(entry)
            if not isinstance(r, list) or len(r) != 4 or r[0] != 1 or isinstance(r[0], bool):
                raise ValueError("it is not [1, kind, time, body]")
            _, kind, time, body = r
            if not isinstance(time, int) or isinstance(time, bool) or not -(1 << 63) <= time < 1 << 63:
                raise ValueError("its time is no number of 64 bits")
            if not isinstance(kind, int) or isinstance(kind, bool) or kind not in KINDS:
                raise ValueError(f"its kind {kind!r} is unknown")
            name, always, maybe = KINDS[kind]
            if not isinstance(body, dict):
                raise ValueError("its body is no map")
            for f in body:
                if f not in always | maybe:
                    raise ValueError(f"{name} has no field {f!r}")
            if not always <= set(body):
                raise ValueError(f"{name} lacks a field")
            if self.time is not None and time < self.time:
                raise ValueError("it is dated before the one ahead of it")
            self.time = time
            if (index == 0) != (name == "log.genesis"):
                raise ValueError(f"{name} does not stand here")
            if name == "log.genesis":
                self.begin(body)
            elif name == "log.sealed":
                self.seal(index, body)
            elif name == "log.key":
                self.hand_over(index, body)
        except (ValueError, UnicodeDecodeError) as e:
            raise Bad(f"record {index}", str(e)) from None
        self.tree.push(leaf(entry))

    def begin(self, body):
        if body[1] != self.origin:
            raise ValueError("the log began under another name than the checkpoint has")
        key = body[2]
        if not isinstance(key, bytes) or len(key) != 32:
            raise ValueError("the first key is no Ed25519 key")
        m = re.fullmatch("forgeone\\.local/([0-9a-f]{16})", self.origin)
        if m and key_id(key).hex()[:16] != m.group(1):
            raise ValueError("the log is not named after its first key")
        self.terms.append((key, 0))
        self.posts.append(b"")

    def seal(self, index, body):
        if body[1] != self.sealed or body[2] != index or len(body[3]) != 32:
            raise ValueError("a seal is not that of the segment that ends here")
        self.sealed += 1

    def hand_over(self, index, body):
        term, key, post, root = body[1], body[2], body.get(3, b""), body[4]
        if term != len(self.terms) or term >= MAX_TERMS:
            raise ValueError(f"term {term!r} begins where {len(self.terms)} should")
        if not isinstance(key, bytes) or len(key) != 32 or not isinstance(post, bytes):
            raise ValueError("the next key is no Ed25519 key")
        if 3 in body and len(post) != 1312:
            raise ValueError("the next key's ML-DSA-44 key has a wrong length")
        if any(k == key for k, _ in self.terms) or post and post in self.posts:
            raise ValueError("the next key has had a term before")
        if len(body.get(7, b"")) != (2420 if self.posts[-1] else 0) or 7 in body and not body[7]:
            raise ValueError("the ML-DSA-44 key before has not signed, or there is none")
        if root != self.tree.root():
            raise ValueError("the hand-over is not over the records before it")
        origin = self.origin.encode()
        message = b"".join((
            bytes([len(origin)]), origin, struct.pack("<QQ", term, index), root,
            struct.pack("<H", len(post)), post, key,
        ))
        for domain, by, field, who in (
            ("forgeone/log-key/v1", self.terms[-1][0], 5, "the key before"),
            ("forgeone/log-key-new/v1", key, 6, "the next key"),
        ):
            if not isinstance(body[field], bytes) or not verifies(by, named(domain, message), body[field]):
                raise ValueError(f"the hand-over is not signed by {who}")
        self.terms.append((key, index + 1))
        self.posts.append(post)

    def signer(self):
        """The key in force for the last record."""
        return [key for key, first in self.terms if first < self.tree.size][-1]


def entries(folder, size):
    """Yields the entries of an export."""
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        name, b, instead = folder.tile("entries", n, width, 256 * (2 + MAX_ENTRY))
        at = 0
        for i in range(256 if instead else width):
            length = int.from_bytes(b[at : at + 2], "big")
            if len(b) - at < 2 or length == 0 or len(b) - at - 2 < length:
                raise Bad(name, f"entry {i} at byte {at} is cut off")
            if i < width:
                yield b[at + 2 : at + 2 + length]
            at += 2 + length
        if at != len(b):
            raise Bad(name, f"bytes follow its last entry, at {at}")


def verify(path, pins):
    folder = Folder(path)
    c = Checkpoint(folder.read("checkpoint", MAX_CHECKPOINT))
    tree = Tree(folder)
    log = Log(c.origin, tree)
    for entry in entries(folder, c.size):
        log.follow(entry)
    for level in range(len(tree.levels)):
        tree.check(level)
    if tree.root() != c.root:
        raise Bad("checkpoint", "its root is not that of the records")
    if not c.signed_by(log.signer()):
        raise Bad("checkpoint", "is not signed by the log's key")
    post = log.posts[-1]
    if post and not c.has_post(post):
        raise Bad("checkpoint", "is not signed by the log's ML-DSA-44 key")
    for pin in pins:
        if all(pin != key for key, _ in log.terms):
            raise Bad("key", f"f1pub-ed25519:{base64.b64encode(pin).decode()} signed no term of this log")
    vkeys = folder.read("vkey", MAX_TERMS * 512 + 4096)
    want = "".join(
        f"{c.origin}+{note_hash(c.origin, key).hex()}+{base64.b64encode(bytes([1]) + key).decode()}\n"
        for key, first in reversed(log.terms) if first < tree.size
    )
    if post:
        want += f"{c.origin}+{note_hash(c.origin, post, 6).hex()}+{base64.b64encode(bytes([6]) + post).decode()}\n"
    if vkeys is not None and vkeys != want.encode():
        raise Bad("vkey", "holds other keys than the log's")
    return c, log


def main(args):
    if len(args) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        pins = [parse_key(a) for a in args[1:]]
    except (ValueError, binascii.Error) as e:
        print(f"not a public key: {e}", file=sys.stderr)
        return 2
    try:
        c, log = verify(args[0], pins)
    except Bad as e:
        print(f"NOT verified: {e}", file=sys.stderr)
        return 1
    print(f"verified: {c.size} records of {c.origin}, {len(log.terms)} term(s), root {c.root.hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
