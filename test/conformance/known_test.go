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
