package abi

// cliCodes are the codes of the area CLI: how commands are called.
var cliCodes = []CodeInfo{
	{"F1-CLI-001", "the command was called wrongly", "A flag or argument is missing, unknown or malformed. The hint shows a call that works; --help shows all.", 2},
	{"F1-CLI-002", "a file can't be read or written", "A file that was named on the command line is not there, can't be read or written, or is too large for its purpose.", 3},
	{"F1-CLI-003", "the command could not finish", "The operating system or a library reported an error for which there is no code of its own; the message says which.", 3},
	{"F1-CLI-004", "no such name", "There is no syscall or error code of this name. `forgeone syscalls` lists the syscalls; codes look like F1-POL-003.", 1},
	{"F1-CLI-005", "no such record", "The log is shorter than that. `forgeone log list` shows the records and their indexes.", 1},
	{"F1-CLI-020", "the address can't be listened on", "The address is not HOST:PORT, is in use, or is not one of this machine. Port 0 takes a free one; the command prints which.", 3},
}
