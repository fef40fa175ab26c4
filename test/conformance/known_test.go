package conformance

// known holds the tests of the standard library that fail here, and why. One
// that does not fail fails ours, so that the list stays true.
var known = map[string]map[string]string{
	"os": climbing(map[string]string{
		"TestOpenFileDevNull": noDevices,
		"TestDevNullFile":     noDevices,
	}),
}

// climbing adds to list the tests that make a link to "DIR/../…".
func climbing(list map[string]string) map[string]string {
	const why = "a guest makes no link with .. behind a name: were the name made a link later, it would climb out of the mount (docs/SECURITY.md)"
	for _, f := range []string{
		"Chtimes", "Create", "Lstat", "Mkdir", "MkdirAllDeep", "MkdirAllShallow", "Open", "OpenFile", "ReadFile", "Readlink", "Remove", "RemoveAll", "Stat", "WriteFile",
	} {
		test := "TestRootMulti" + f
		list[test] = why
		for _, base := range []string{"bSdpb", "bsSdpb"} {
			for _, end := range []string{"D", "F", "sD", "sF"} {
				list[test+"/"+base+end] = why
			}
		}
	}
	return list
}

const noDevices = "a run has no /dev/null: what it was not granted does not exist, and a grant gives files and folders, not devices"
