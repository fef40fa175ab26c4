package conformance

// known holds the tests of the standard library that fail here, and why. One
// that does not fail fails ours, so that the list stays true.
var known = map[string]map[string]string{
	"os": {
		"TestOpenFileDevNull": noDevices,
		"TestDevNullFile":     noDevices,
	},
}

const noDevices = "a run has no /dev/null: what it was not granted does not exist, and a grant gives files and folders, not devices"
