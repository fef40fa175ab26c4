package app

default allow := false

allow if {
	input.method == "GET"
	some r in input.roles
	r == "reader"
}

paths contains p if {
	some i
	p := sprintf("%d/%s", [i, input.roles[i]])
}

digest := crypto.sha256(input.user)
