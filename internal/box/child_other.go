//go:build !linux

package box

import (
	"math"
	"os"
	"syscall"
	"time"
)

// own is the way to this program's binary.
func own() (string, error) { return named() }

func attributes() *syscall.SysProcAttr { return nil }

// confine has no walls to put up: the child is a process of its own, no more.
func confine(_, _ uint64) (string, error) { return "a process of its own, without walls", nil }

func resident(*os.ProcessState) uint64 { return 0 }

func signalled(*os.ProcessState, time.Duration, string) Cause { return CauseMachine }

func otherLimits() bool { return false }

// MostMemory is the most memory that a child can be given: any.
func MostMemory() uint64 { return math.MaxUint64 }

// Pause does nothing where a child can't be stopped for a while.
func (c *Child) Pause() {}

// Continue does nothing: see Pause.
func (c *Child) Continue() {}

// CPU can't be told before the end.
func (c *Child) CPU() time.Duration { return 0 }
