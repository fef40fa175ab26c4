package kernel

import (
	"errors"

	"github.com/forgeone/forgeone/abi"
	"github.com/forgeone/forgeone/internal/keys"
	"github.com/forgeone/forgeone/internal/register"
	"github.com/forgeone/forgeone/internal/sys"
)

// Protect encrypts the private keys of a state folder, or locks those that are
// encrypted with something else; unlock names the file that opens them. Whoever
// has the folder open goes on working.
func Protect(home, unlock string, p keys.Protection) error {
	return aloneWithKeys(home, func(dir string) error {
		// What opens the keys from now on is kept from guests from now on.
		if err := noteHome(register.At(""), Home(home), unlock, p.Passphrase); err != nil && !errors.Is(err, register.ErrNowhere) {
			return err
		}
		return keys.Protect(dir, unlock, p)
	})
}

// Unprotect puts the private keys of a state folder in the clear again.
func Unprotect(home, unlock string) error {
	return aloneWithKeys(home, func(dir string) error { return keys.Unprotect(dir, unlock) })
}

// aloneWithKeys calls f while nobody makes or replaces keys of the state folder.
func aloneWithKeys(home string, f func(dir string) error) error {
	if err := checkHome(home); err != nil {
		return err
	}
	h := Home(home)
	making, err := sys.Lock(h.path(".init"))
	if err != nil {
		return unkept(h.path(".init"), err)
	}
	defer making.Unlock()
	replacing, got, err := sys.TryLock(h.path(".rotate"))
	if err != nil {
		return unkept(h.path(".rotate"), err)
	}
	if !got {
		return &abi.Error{Code: abi.CodeKeyRotating, What: "another process is replacing the log's key", Where: h.Keys(), Hint: "forgeone log verify"}
	}
	defer replacing.Unlock()
	if err := keys.Sweep(h.Keys()); err != nil { // what is in the clear, too
		return err
	}
	return f(h.Keys())
}
