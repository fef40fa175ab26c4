package abi

// moduleCodes are the codes of the area MOD.
var moduleCodes = []CodeInfo{}
