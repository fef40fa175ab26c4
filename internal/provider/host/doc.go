// Package host is what a run can reach of the machine it runs on: folders, the
// clocks, randomness, the standard streams and sockets. It decides nothing; it does the
// work behind a call that the gate has allowed, and answers with preview 1
// errnos.
//
// # Folders
//
// A [Root] is a host folder that an operator granted. Its handles implement
// tree.Dir over held file descriptors, so that what was resolved is what is
// performed on, however names move meanwhile. Every operation is one *at call
// on a held folder and one name, follows no symbolic link, and can't leave the
// root: names are checked again here although the resolver above checked them.
// Only Beneath takes several names, in one openat2(2) with RESOLVE_BENEATH,
// RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS; where the kernel has no
// openat2 it walks, a name at a time, with the same answers.
//
// Only regular files are opened. Devices, FIFOs and sockets can be seen,
// renamed and removed, never opened and never waited for.
//
// Mount points beneath a root belong to it, unless what is mounted is no storage
// but shows the kernel, devices or other processes, as procfs and sysfs do: that
// answers ENOTCAPABLE, and can't be a root. Where a file system knows a name by more
// spellings than one, only the one that its folder lists is a name. Device numbers are replaced by small ones, as
// they would tell about the machine; inode numbers stay, since programs tell
// files apart by them.
//
// # Streams
//
// A [Stream] is standard input, output or error: a file of the operator's, or
// an io.Reader or io.Writer of an embedding program. Each wait ends soon after
// the run is told to stop. The files stay as they are, since other processes
// share them: never made non-blocking, never closed.
//
// # Sockets
//
// [Listen] opens what the operator named; it looks up no names and connects to
// nothing. Sockets are descriptors of our own that never block: only
// [WaitSockets] waits, and it ends with the run. What a peer has sent or does not
// read lies in the system's buffers, of bounded size.
//
// Folders, file streams and sockets need Linux. Elsewhere OpenRoot, Random and
// Listen answer F1-FIL-004, and NewStdin and NewStdout treat their file as a plain reader or
// writer.
package host
