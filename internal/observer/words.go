package observer

import (
	"strconv"
	"strings"
)

// flags are the words of the bit sets of preview 1, by abi.Param.Words, from bit 0.
var flags = map[string][]string{
	"lookupflags": {"SYMLINK_FOLLOW"},
	"oflags":      {"O_CREAT", "O_DIRECTORY", "O_EXCL", "O_TRUNC"},
	"fdflags":     {"APPEND", "DSYNC", "NONBLOCK", "RSYNC", "SYNC"},
	"fstflags":    {"ATIM", "ATIM_NOW", "MTIM", "MTIM_NOW"},
	"riflags":     {"RECV_PEEK", "RECV_WAITALL"},
	"roflags":     {"RECV_DATA_TRUNCATED"},
	"sdflags":     {"RD", "WR"},
	"rights": {
		"fd_datasync", "fd_read", "fd_seek", "fd_fdstat_set_flags", "fd_sync", "fd_tell", "fd_write", "fd_advise",
		"fd_allocate", "path_create_directory", "path_create_file", "path_link_source", "path_link_target", "path_open",
		"fd_readdir", "path_readlink", "path_rename_source", "path_rename_target", "path_filestat_get",
		"path_filestat_set_size", "path_filestat_set_times", "fd_filestat_get", "fd_filestat_set_size",
		"fd_filestat_set_times", "path_symlink", "path_remove_directory", "path_unlink_file", "poll_fd_readwrite",
		"sock_shutdown", "sock_accept",
	},
}

// enums are the words of its enumerations, likewise, from 0.
var enums = map[string][]string{
	"clockid": {"REALTIME", "MONOTONIC", "PROCESS_CPUTIME", "THREAD_CPUTIME"},
	"whence":  {"SEEK_SET", "SEEK_CUR", "SEEK_END"},
	"advice":  {"NORMAL", "SEQUENTIAL", "RANDOM", "WILLNEED", "DONTNEED", "NOREUSE"},
	"signal": {
		"NONE", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
		"CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "POLL", "PWR", "SYS",
	},
}

// filetypes are the words of abi.Filetype.
var filetypes = []string{
	"unknown", "block_device", "character_device", "directory", "regular_file", "socket_dgram", "socket_stream", "symbolic_link",
}

// Words returns the words of the value v of a flag or enumeration type
// (abi.Param.Words); what has no word stands in hexadecimal at the end. It
// returns nil for a plain number and for an empty set.
func Words(words string, v uint64) []string {
	if names, ok := enums[words]; ok {
		if v < uint64(len(names)) {
			return names[v : v+1]
		}
		return []string{strconv.FormatUint(v, 10)}
	}
	var out []string
	for i, name := range flags[words] {
		if v&(1<<i) != 0 {
			out = append(out, name)
			v &^= 1 << i
		}
	}
	if v != 0 && flags[words] != nil {
		out = append(out, "0x"+strconv.FormatUint(v, 16))
	}
	return out
}

// maxWords is how many words of a set a line shows: descriptors carry up to 30 rights.
const maxWords = 4

// value writes v as a line shows it.
func value(words string, v uint64) string {
	w := Words(words, v)
	switch n := len(w); {
	case n == 0:
		return strconv.FormatUint(v, 10)
	case n > maxWords:
		return strings.Join(w[:maxWords-1], "|") + "|+" + strconv.Itoa(n-maxWords+1)
	}
	return strings.Join(w, "|")
}

// plain writes s without quotes where nothing in it could mislead.
func plain(s string) string {
	if q := strconv.Quote(s); len(q) != len(s)+2 || strings.ContainsAny(s, " \t") || s == "" {
		return q
	}
	return s
}
