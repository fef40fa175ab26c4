package abi

// configCodes are the codes of the area CFG.
var configCodes = []CodeInfo{}
