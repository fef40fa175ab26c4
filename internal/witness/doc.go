// Package witness speaks C2SP tlog-witness, on both sides. A Witness remembers the
// newest head that it saw of each log it knows, in a folder, and cosigns a newer
// one only with a proof that it begins with the old one; so of two histories of
// a log it vouches for one. Sync has a log's newest checkpoint cosigned by its
// witnesses and tells when one of them knows more of the log, or another log,
// than is here.
//
// A witness that runs on the log's machine, or whose folder the log's operator
// can put back, proves nothing.
package witness
