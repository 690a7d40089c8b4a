//go:build !race

package e2e_test

// race are the flags that the program is built with as these tests were.
var race []string
