package wasm

import "syscall"

// mapNoReserve keeps reservations out of the overcommit account.
const mapNoReserve = syscall.MAP_NORESERVE
