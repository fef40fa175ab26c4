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

// deep holds those that end their run, because they call deeper than the limit
// that stands before the engine's own (docs/RATIONALE.md, "Depth is counted by
// weight"): by weight a frame counts for more than the engine makes of it. They
// run by themselves, and one that does not end its run fails ours.
var deep = map[string]map[string]string{
	"encoding/xml": {"TestRecursiveUnmarshalInterfaceDepth": "elements nested 5,000 deep, by reflection"},
	"encoding/asn1": {
		"TestUnmarshalNestingLimitSlice":  "sequences nested 10,000 deep, by reflection",
		"TestUnmarshalNestingLimitStruct": "sequences nested 10,000 deep, by reflection",
	},
	"go/parser": {"TestScopeDepthLimit": "statements nested 1,000 deep, resolved by walking the tree"},
}
