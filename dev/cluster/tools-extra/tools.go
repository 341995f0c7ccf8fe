// Package tools keeps modules in go.mod whose files, not code, the cluster reads.
package tools

// The CRDs are read from the module's config/crd/standard.
import _ "sigs.k8s.io/gateway-api/pkg/consts"
