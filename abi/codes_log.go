package abi

// logCodes are the codes of the area LOG.
var logCodes = []CodeInfo{
	{"F1-LOG-001", "there is no evidence log here", "The folder holds no log, or its first segment is missing. Give the folder named log of the state folder, or make a new state folder with forgeone init.", 3},
	{"F1-LOG-002", "there is an evidence log here already", "A log is made once and never made anew over an old one. To begin again use another state folder and keep the old one as evidence.", 1},
	{"F1-LOG-003", "the evidence log is damaged", "Bytes of the log are not what was written: a checksum, a length or a frame is wrong, a segment is missing or follows wrongly. Nothing is mended: keep the folder as it is and compare it with a copy.", 1},
	{"F1-LOG-004", "the evidence log ends in bytes that were never committed", "After the last commit there is something else than zeros: a writer died in the middle of a write, or somebody wrote there. The next command that writes to the log moves these bytes into a file torn-… beside it and records their digest.", 1},
	{"F1-LOG-005", "a commit is not signed by the log's key", "The commit's signature is missing, wrong, or of another key than that of its term. Somebody without that key wrote or changed records here.", 1},
	{"F1-LOG-006", "the records are not those that were signed", "The Merkle tree over the records has another size or root than the signed commit says: records were changed, dropped, added or put in another order.", 1},
	{"F1-LOG-007", "the segments do not form one chain", "A segment's header, its number, its place, or the seal of the segment before it does not follow from what came before: a segment was replaced, dropped, or made anew.", 1},
	{"F1-LOG-008", "a record is malformed", "A record can't be decoded, stands where its kind may not stand, or is dated before the one ahead of it.", 1},
	{"F1-LOG-009", "this is another log", "The log's origin is not the one expected: these segments belong to another node or another state folder.", 1},
	{"F1-LOG-010", "the evidence log could not be read or written", "The operating system reported an error. What was not acknowledged did not happen. This process appends nothing more; new ones try again.", 3},
	{"F1-LOG-011", "there is no room for the evidence log", "The disk or a quota is full. What can't be recorded doesn't happen, so it was refused before it took effect. Make room and try again.", 3},
	{"F1-LOG-012", "the evidence log was moved or deleted while open", "The folder, its lock, its counter or the segment in use is no longer the one that was opened. Nothing more is written. Put the folder back, then start again.", 3},
	{"F1-LOG-013", "the evidence log stopped after an earlier error", "After an error the state of a log is uncertain for the process that met it, and it appends nothing more. Start again.", 3},
	{"F1-LOG-014", "the evidence log is closed, or open for reading only", "The caller used a log after Close, or appends to one that it opened without a private key.", 2},
	{"F1-LOG-015", "a transaction on the evidence log panicked", "The function that was to produce records failed in an unforeseen way. It appended nothing, and the log is unharmed.", 3},
	{"F1-LOG-016", "a transaction can't be recorded", "Its records are too large together, one of them can't be encoded, or it has a kind that only the log itself may write.", 1},
	{"F1-LOG-017", "a record does not follow from those before it", "The state folded from the log refuses the record. In a transaction it was not appended; in an existing log it means that the log was not written by this software's rules.", 1},
	{"F1-LOG-018", "gave up waiting for the evidence log", "Other processes hold the log, and the time given ran out. Nothing was appended. See whether one of them is stopped.", 3},
	{"F1-LOG-019", "the evidence log can't be used this way", "An option is missing or out of range: no folder, no public key to verify with, an origin that is not a word of at most 255 bytes, or a segment size out of range.", 2},
	{"F1-LOG-020", "the evidence log was tampered with", "There is a signed commit behind damaged bytes, or damage in a place that no crash can reach. The log is not opened for appending and nothing is cut off. Keep the folder and run forgeone log verify for the place.", 1},
	{"F1-LOG-021", "this is not the key of the log's current term", "The log was handed over to another key, or cut off before it was handed over to this one. With a key of another term nothing can be appended. Start again, with the key that forgeone key rotate left; if there was no rotation, verify the log and compare it with a copy.", 3},
	{"F1-LOG-022", "the chain of log keys is broken", "A record log.key, or the log's beginning, does not follow: it has a wrong term, root, place or signature, or the log's name is not that of its first key. Somebody without the key of the term before wrote it.", 1},
	{"F1-LOG-023", "a key you gave is no key of this log", "Each key given must be the key of some term of the log: the first one, or one it was handed over to. Keys found inside the folder prove nothing. Either the key is of another node, or the log was made anew, or cut off before that key's term.", 1},
}
