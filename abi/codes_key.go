package abi

// keyCodes are the codes of the area KEY.
var keyCodes = []CodeInfo{}
