package abi

// policyCodes are the codes of the area POL.
var policyCodes = []CodeInfo{}
