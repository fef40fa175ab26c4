package abi

// Codes of the area CFG: the node's configuration.
const (
	CodeCfgRead      Code = "F1-CFG-001"
	CodeCfgUnsigned  Code = "F1-CFG-002"
	CodeCfgSignature Code = "F1-CFG-003"
	CodeCfgSyntax    Code = "F1-CFG-004"
	CodeCfgValue     Code = "F1-CFG-005"
	CodeCfgSize      Code = "F1-CFG-006"
	CodeCfgWrite     Code = "F1-CFG-007"
)

// configCodes are the codes of the area CFG.
var configCodes = []CodeInfo{
	{CodeCfgRead, "the configuration could not be read", "The file `config` of the state folder is missing or unreadable. `forgeone init` makes a state folder with a default configuration; `forgeone doctor` says what else is wrong.", 3},
	{CodeCfgUnsigned, "the configuration is not signed", "The last line of the configuration must be its signature by this node's key. The file was edited by hand or replaced. Keep your text in a file of your own and put it in force with `forgeone init --config FILE`.", 1},
	{CodeCfgSignature, "the configuration's signature does not match", "The text was changed after it was signed, or another node's key signed it. Nothing starts from such a configuration. Review the text, then sign it anew with `forgeone init --config FILE`.", 1},
	{CodeCfgSyntax, "the configuration is not valid YAML of the known shape", "The message shows line and column. Unknown or doubled fields, anchors, aliases, tags and further documents are refused. `forgeone config show` prints a configuration to start from.", 2},
	{CodeCfgValue, "a value of the configuration is out of bounds", "The message shows the field's line and the values it may have.", 2},
	{CodeCfgSize, "the configuration is too large", "A configuration has at most 64 KiB. Comments count; shorten them.", 2},
	{CodeCfgWrite, "the configuration could not be written", "The state folder is not writable or the disk is full. The configuration that was in force is unchanged.", 3},
}
