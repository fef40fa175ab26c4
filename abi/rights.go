package abi

// rightNames are the names of rights, by bit, as witx has them.
var rightNames = [...]string{
	"fd_datasync", "fd_read", "fd_seek", "fd_fdstat_set_flags", "fd_sync", "fd_tell", "fd_write", "fd_advise",
	"fd_allocate", "path_create_directory", "path_create_file", "path_link_source", "path_link_target", "path_open",
	"fd_readdir", "path_readlink", "path_rename_source", "path_rename_target", "path_filestat_get",
	"path_filestat_set_size", "path_filestat_set_times", "fd_filestat_get", "fd_filestat_set_size",
	"fd_filestat_set_times", "path_symlink", "path_remove_directory", "path_unlink_file", "poll_fd_readwrite",
	"sock_shutdown", "sock_accept",
}

// RightsNames lists the names of the rights in r, lowest bit first.
func RightsNames(r Rights) (names []string) {
	for i, n := range rightNames {
		if r&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}
