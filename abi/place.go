package abi

// MaxVia bounds Object.Via: a path that leads through more places is refused by
// the world (ENAMETOOLONG). Their names have MaxViaNames bytes at most in all.
const (
	MaxVia      = 64
	MaxViaNames = 4 * MaxPath
)

// Place is a name that a path led through without ending beneath it: a folder
// that was left again by "..", or a symbolic link that was followed. Whether it
// is there shows in where the path ends, so who may not do what the call does on
// the place itself may not do it by way of it either.
type Place struct {
	// Name is what the call would have been on, had the path broken off there.
	Name string
	// Grant is the index, from 1, of the grant it lies in; 0 for none.
	Grant int
}

// About is the name that a decision on o was about: that of the place in Via
// that was denied, else Name.
func (o *Object) About() string {
	if o.Barring > 0 && o.Barring <= len(o.Via) {
		return o.Via[o.Barring-1].Name
	}
	return o.Name
}
