package abi

// cliCodes are the codes of the area CLI.
var cliCodes = []CodeInfo{}
