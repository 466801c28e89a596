//go:build race

package catalog_test

// many is the size of a large catalog; the race detector makes it cost too much.
const many = 500
