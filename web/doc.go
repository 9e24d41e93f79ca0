// Package web holds the pages that the program serves, built from the sources beside it, and gives handlers for them. It knows
// nothing of the rest of the project: whoever mounts a page tells it what to show.
package web
