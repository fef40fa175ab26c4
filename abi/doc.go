// Package abi holds the words that every room of ForgeOne shares: the syscall
// table, rights, errnos, calls, decisions, the trust vector, outcomes, record
// kinds and error codes. It imports the standard library only and does nothing
// by itself; what the words mean is in docs/ARCHITECTURE.md.
package abi
