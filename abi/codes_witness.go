package abi

// witnessCodes are the codes of the area WIT.
var witnessCodes = []CodeInfo{
	{"F1-WIT-001", "the witness can't be reached", "The witness's address answered nothing, or broke off. The cosigned checkpoint from before stays. Check the address with forgeone log witness list, and the network.", 3},
	{"F1-WIT-002", "the witness does not know this log", "A witness vouches only for logs that its operator told it of. Give the operator the log's verifier key, a line for the witness's list of logs.", 1},
	{"F1-WIT-003", "the witness does not know the log's key", "The witness knows the log by an older key, or by another log's. After a key rotation give its operator the newest verifier key; the older one may stay in the list.", 1},
	{"F1-WIT-004", "the witness answers oddly", "The answer is none that the protocol (C2SP tlog-witness) has, or names a failure of the witness. Nothing of it was used.", 3},
	{"F1-WIT-005", "the witness answered without its cosignature", "The witness agreed and its answer holds no signature of the key that was configured for it, or one that does not verify. Compare the configured verifier key with the one that the witness prints.", 1},
	{"F1-WIT-006", "the witness has forgotten what it vouched for", "It knows fewer records of this log than it has cosigned: its own memory was put back or lost. What it says is worth nothing until its operator explains it.", 1},
	{"F1-WIT-007", "the witness's folder is in use", "Another process serves the witness in this folder. Two at once could vouch for two histories of a log, so only one may.", 3},
	{"F1-WIT-008", "what the witness or its client remembers is damaged", "A file of what was cosigned is not as it was written. It is never taken for an empty one, because that would let an older history in. Put back what was there, or ask for every log what others have seen.", 1},
	{"F1-WIT-009", "the witness can't have this name", "A witness's name is one word of at most 255 bytes without +. It stands in every cosignature, so a witness keeps the name that it began with.", 2},
	{"F1-WIT-010", "the witness's folder can't be read or written", "The operating system reported an error. Nothing was cosigned that is not durable.", 3},
	{"F1-WIT-011", "the list of logs has a wrong line", "Each line of the file logs in the witness's folder is the verifier key of a log (name+hash+base64), empty, or a comment that begins with #.", 2},
	{"F1-WIT-012", "this is no address of a witness", "A witness's address is its submission prefix, http:// or https:// with a host, without a query or a password.", 2},
	{"F1-WIT-013", "another process has this log cosigned", "One process at a time asks the witnesses of a log. The other one took longer than a minute. See whether it is stopped.", 3},
	{"F1-WIT-014", "this is not a request to a witness", "A request is a line with the old size, at most 63 lines with a consistency proof, an empty line, and a checkpoint (C2SP tlog-witness).", 1},
	{"F1-WIT-015", "the address can't be listened on", "The operating system refuses the address: it is in use, not this machine's, or needs rights. Name another, such as 127.0.0.1:0.", 3},
	{"F1-WIT-016", "there is no witness of that name", "A witness is called by the name that its verifier key begins with. forgeone log witness list shows them.", 1},
	{"F1-WIT-017", "the quorum can't be reached", "More witnesses would be asked for than there are, so that nothing could ever be witnessed. Lower the quorum first, or add witnesses.", 1},
	{"F1-WIT-018", "the log has no witnesses", "Nobody is there to be asked. Add a witness, run by somebody who can't put back this machine's disk: forgeone log witness add VKEY URL, then forgeone log witness quorum N.", 2},
	{"F1-WIT-019", "too many witnesses", "A checkpoint holds a bounded number of signatures, and each witness adds one. Remove a witness before another is added.", 1},
	{"F1-WIT-020", "others may write to the witness's folder", "Whoever may write there can put another memory in place, and have the witness vouch for two histories. Take the permission away, as the hint shows.", 3},
}
