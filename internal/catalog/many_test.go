//go:build !race

package catalog_test

// many is the size of a large catalog.
const many = 10_000
