// Package sys is the operating system with care: durable writes, locks that
// are fair between processes, a counter that processes share, and the seam
// through which the evidence log touches files, where tests inject faults
// (package faultfs).
//
// Locks are Linux open-file-description locks and flock: the kernel lets go of
// them when their holder dies, however it dies.
package sys
