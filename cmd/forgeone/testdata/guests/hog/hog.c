/* hog is a guest for tests of limits: its first argument says of what it wants
 * too much. It makes its calls itself, past the libc's buffers and tables. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

enum { ROOT = 3, RW = __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_SEEK |
	__WASI_RIGHTS_FD_ALLOCATE | __WASI_RIGHTS_FD_FDSTAT_SET_FLAGS | __WASI_RIGHTS_FD_FILESTAT_SET_SIZE };

static uint8_t buf[16 << 20];
static __wasi_ciovec_t iovs[1 << 20];

static __wasi_errno_t open_at(const char *path, int oflags, __wasi_rights_t rights, __wasi_fd_t *fd) {
	return __wasi_path_open(ROOT, 0, path, oflags, rights, 0, 0, fd);
}

/* must opens a file for everything and makes it. */
static __wasi_fd_t must(const char *path) {
	__wasi_fd_t fd;
	__wasi_errno_t e = open_at(path, __WASI_OFLAGS_CREAT, RW, &fd);
	if (e) {
		printf("%s: errno %d\n", path, e);
		exit(1);
	}
	return fd;
}

static __wasi_errno_t put(__wasi_fd_t fd, size_t n, uint64_t at, size_t *done) {
	__wasi_ciovec_t v = {buf, n};
	return __wasi_fd_pwrite(fd, &v, 1, at, done);
}

/* deny N [same]: N opens of what was not granted, each of another name. */
static void deny(long n, int same) {
	char name[4000];
	__wasi_fd_t fd;
	for (long i = 0; i < n; i++) {
		sprintf(name, "secret/%ld", same ? 0 : i);
		open_at(name, 0, __WASI_RIGHTS_FD_READ, &fd);
	}
}

/* long N: the same, with names of nearly 4 KiB. */
static void longnames(long n) {
	static char name[4000];
	__wasi_fd_t fd;
	for (size_t i = 0; i < sizeof name - 20; i++)
		name[i] = i % 200 == 199 ? '/' : 'x';
	for (long i = 0; i < n; i++) {
		sprintf(name + 3960, "%ld", i);
		open_at(name, 0, __WASI_RIGHTS_FD_READ, &fd);
	}
}

/* search N DIR: tries N files of DIR, as a program that looks for something. */
static void search(long n, const char *dir) {
	char name[256];
	__wasi_fd_t fd;
	long found = 0;
	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/%ld", dir, i);
		if (open_at(name, 0, __WASI_RIGHTS_FD_READ, &fd) == 0) {
			found++;
			(void)!__wasi_fd_close(fd);
		}
	}
	printf("found %ld\n", found);
}

/* around N DIR: N opens of the same thousand files of DIR, again and again. */
static void around(long n, const char *dir) {
	char name[256];
	__wasi_fd_t fd;
	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/%ld", dir, i % 1000);
		open_at(name, 0, __WASI_RIGHTS_FD_READ, &fd);
	}
}

static void calls(const char *what, long n, const char *path) {
	__wasi_fd_t fd = must(path), other;
	size_t done;
	__wasi_iovec_t v = {buf, 1};
	put(fd, 1, 0, &done);
	for (long i = 0; i < n; i++) {
		if (!strcmp(what, "reads"))
			(void)!__wasi_fd_pread(fd, &v, 1, 0, &done);
		else if (!strcmp(what, "writes"))
			put(fd, 1, 0, &done);
		else if (open_at(path, 0, RW, &other) == 0)
			(void)!__wasi_fd_close(other);
	}
}

static void descriptors(const char *path) {
	long n = 0;
	__wasi_fd_t fd;
	__wasi_errno_t e;
	while ((e = open_at(path, 0, __WASI_RIGHTS_FD_READ, &fd)) == 0)
		n++;
	printf("opened %ld, errno %d\n", n, e);
	(void)!__wasi_fd_close(fd = 4);
	printf("again %d\n", open_at(path, 0, __WASI_RIGHTS_FD_READ, &fd));
}

/* fill PATH HOW: grows a file until it is refused. */
static void fill(const char *path, const char *how) {
	__wasi_fd_t fd = must(path);
	uint64_t at = 0;
	__wasi_errno_t e = 0;
	size_t done;
	memset(buf, 'x', sizeof buf);
	if (!strcmp(how, "truncate")) {
		for (uint64_t n = 1 << 20; (e = __wasi_fd_filestat_set_size(fd, n)) == 0 && n < 1ull << 40; n <<= 1)
			at = n;
	} else if (!strcmp(how, "allocate")) {
		for (; (e = __wasi_fd_allocate(fd, at, 1 << 20)) == 0 && at < 1ull << 40; at += 1 << 20)
			;
	} else if (!strcmp(how, "names")) {
		char name[256];
		for (; e == 0 && at < 1000000; at++) {
			snprintf(name, sizeof name, "%s%lld", path, (long long)at);
			e = __wasi_path_create_directory(ROOT, name);
		}
	} else if (!strcmp(how, "append")) {
		(void)!__wasi_fd_fdstat_set_flags(fd, __WASI_FDFLAGS_APPEND);
		__wasi_ciovec_t v = {buf, 100000};
		for (; (e = __wasi_fd_write(fd, &v, 1, &done)) == 0 && at < 1ull << 40; at += done)
			;
	} else {
		for (; (e = put(fd, 100000, at, &done)) == 0 && at < 1ull << 40; at += done)
			;
	}
	printf("%llu bytes, errno %d\n", (unsigned long long)at, e);
	(void)!__wasi_fd_filestat_set_size(fd, 0);
	printf("cut, then %d\n", put(fd, 4096, 0, &done));
}

/* again N PATH: fills a file and cuts it, again and again. */
static void again(long n, const char *path) {
	__wasi_fd_t fd = must(path);
	size_t done;
	while (n-- > 0) {
		for (uint64_t at = 0; put(fd, 70000, at, &done) == 0; at += done)
			;
		(void)!__wasi_fd_filestat_set_size(fd, 0);
	}
	printf("filled\n");
}

/* small N DIR: many files of a few bytes. */
static void small(long n, const char *dir) {
	char name[256];
	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof name, "%s/%ld", dir, i);
		size_t done;
		__wasi_fd_t fd = must(name);
		put(fd, 5000, 0, &done);
		(void)!__wasi_fd_close(fd);
	}
	printf("made\n");
}

/* deep N: nested calls with a frame each. */
static volatile int zero;
__attribute__((noinline)) static int deep(long n) { return n ? deep(n - 1) + 1 + zero : 0; }

static void randomness(long mib) {
	unsigned seen = 0;
	for (long left = mib; left > 0; left -= 16) {
		if (__wasi_random_get(buf, sizeof buf))
			exit(1);
		seen |= buf[left % sizeof buf];
	}
	printf("%ld MiB of random%s\n", mib, seen ? "" : ", all zero");
}

static void iovecs(long n, const char *path) {
	__wasi_fd_t fd = must(path);
	size_t done = 0, all = 0;
	for (size_t i = 0; i < sizeof iovs / sizeof *iovs; i++)
		iovs[i] = (__wasi_ciovec_t){buf + i, 1};
	while (n-- > 0 && __wasi_fd_pwrite(fd, iovs, sizeof iovs / sizeof *iovs, 0, &done) == 0)
		all += done;
	while (n < 100 && n++ < 10 && __wasi_fd_pread(fd, (__wasi_iovec_t *)iovs, sizeof iovs / sizeof *iovs, 0, &done) == 0)
		all += done;
	printf("%zu bytes by iovecs\n", all);
}

static void polls(long n) {
	static __wasi_subscription_t in[4096];
	static __wasi_event_t out[4096];
	size_t got = 0;
	for (int i = 0; i < 4096; i++) {
		in[i].userdata = i;
		in[i].u.tag = __WASI_EVENTTYPE_CLOCK;
		in[i].u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
		in[i].u.u.clock.timeout = 1000;
	}
	while (n-- > 0)
		if (__wasi_poll_oneoff(in, out, 4096, &got))
			exit(1);
	printf("%zu events\n", got);
}

static void list(long n, const char *path) {
	__wasi_fd_t fd;
	size_t got, all = 0;
	if (open_at(path, __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READDIR, &fd))
		exit(1);
	while (n-- > 0 && __wasi_fd_readdir(fd, buf, 1 << 20, 0, &got) == 0)
		all += got;
	printf("%zu bytes listed\n", all);
}

/* sleeps until a moment of the clock that is far away. */
static void until(void) {
	__wasi_subscription_t in = {0};
	__wasi_event_t out;
	size_t got;
	in.u.tag = __WASI_EVENTTYPE_CLOCK;
	in.u.u.clock.id = __WASI_CLOCKID_REALTIME;
	in.u.u.clock.timeout = 1ull << 62;
	in.u.u.clock.flags = __WASI_SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME;
	printf("slept: %d\n", __wasi_poll_oneoff(&in, &out, 1, &got));
}

int main(int argc, char **argv) {
	const char *what = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : "", *third = argc > 3 ? argv[3] : "";
	long n = atol(arg);
	if (!strcmp(what, "deny"))
		deny(n, *third);
	else if (!strcmp(what, "long"))
		longnames(n);
	else if (!strcmp(what, "search"))
		search(n, third);
	else if (!strcmp(what, "around"))
		around(n, third);
	else if (!strcmp(what, "reads") || !strcmp(what, "writes") || !strcmp(what, "opens"))
		calls(what, n, third);
	else if (!strcmp(what, "descriptors"))
		descriptors(arg);
	else if (!strcmp(what, "fill"))
		fill(arg, third);
	else if (!strcmp(what, "random"))
		randomness(n);
	else if (!strcmp(what, "again"))
		again(n, third);
	else if (!strcmp(what, "small"))
		small(n, third);
	else if (!strcmp(what, "deep"))
		printf("%d deep\n", deep(n));
	else if (!strcmp(what, "iovecs"))
		iovecs(n, third);
	else if (!strcmp(what, "polls"))
		polls(n);
	else if (!strcmp(what, "list"))
		list(n, third);
	else if (!strcmp(what, "until"))
		until();
	else
		return 2;
	return 0;
}
