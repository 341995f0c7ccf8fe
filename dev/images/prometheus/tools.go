// Package tools has no code: go.mod locks the Prometheus server as a tool.
package tools
