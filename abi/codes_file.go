package abi

// fileCodes are the codes of the area FIL.
var fileCodes = []CodeInfo{}
