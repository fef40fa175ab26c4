// Stands in for a module that torchwood names for a policy format of its own,
// which nothing here uses.
module sigsum.org/sigsum-go

go 1.26
