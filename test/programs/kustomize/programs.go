//go:build programs

// Package programs pins kustomize.
package programs

import _ "sigs.k8s.io/kustomize/kustomize/v5"
