// Package pure holds the trees that need no operating system: scratch, which
// lives in memory within a quota, and assets, which a package brings. Both are
// the same tree; assets are made once and then refuse every change.
//
// A tree belongs to one run, which makes one call at a time: there are no locks.
// Reading does not touch access times.
package pure
