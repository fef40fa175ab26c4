package abi

// runCodes are the codes of the area RUN.
var runCodes = []CodeInfo{}
