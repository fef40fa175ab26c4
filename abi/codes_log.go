package abi

// logCodes are the codes of the area LOG.
var logCodes = []CodeInfo{}
