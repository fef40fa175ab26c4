package abi

// recordingCodes are the codes of the area RPL.
var recordingCodes = []CodeInfo{}
