// Package observer says what recordings say: a call as a line for people or as
// JSON for programs, and what a run did per syscall.
//
// Everything in a recording that came from the guest is escaped here: no view
// prints a control character that a guest chose.
package observer
