package abi

// packageCodes are the codes of the area PKG.
var packageCodes = []CodeInfo{}
