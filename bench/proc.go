package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// used is what /proc/PID/stat says of a process: its parent, the CPU time that it used, and that of its children that have ended.
// See proc(5).
type used struct {
	parent        int
	own, children time.Duration
}

func readUsed(pid int) (used, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return used{}, err
	}
	return parseUsed(string(text))
}

// parseUsed reads a line of /proc/PID/stat. The name of the program, in parentheses, may hold anything, spaces and parentheses too.
func parseUsed(line string) (used, error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 15 {
		return used{}, fmt.Errorf("not a line of /proc/PID/stat: %q", line)
	}
	var numbers [5]int
	for i, field := range []int{1, 11, 12, 13, 14} { // ppid, utime, stime, cutime, cstime
		n, err := strconv.Atoi(fields[field])
		if err != nil {
			return used{}, fmt.Errorf("not a line of /proc/PID/stat: %w", err)
		}
		numbers[i] = n
	}
	return used{parent: numbers[0], own: time.Duration(numbers[1]+numbers[2]) * tick, children: time.Duration(numbers[3]+numbers[4]) * tick}, nil
}

// processCPU is the CPU time of a process.
func processCPU(pid int) (time.Duration, error) {
	u, err := readUsed(pid)
	return u.own, err
}

// familyCPU is the CPU time of a process and of all its children, those that have ended included: of PostgreSQL's postmaster, that of the
// whole server. It looks again when a child has ended meanwhile, which would be missed otherwise, or counted twice.
func familyCPU(pid int) (time.Duration, error) {
	parent, err := readUsed(pid)
	for err == nil {
		var sum time.Duration
		if sum, err = childrenCPU(pid); err != nil {
			break
		}
		before := parent
		if parent, err = readUsed(pid); err == nil && parent.children == before.children {
			return parent.own + parent.children + sum, nil
		}
	}
	return 0, err
}

// childrenCPU is the CPU time of the children that a process has now.
func childrenCPU(pid int) (sum time.Duration, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		if u, err := parseUsed(string(text)); err == nil && u.parent == pid {
			sum += u.own + u.children
		}
	}
	return sum, err
}

// resident is the memory of a process that is in RAM, in bytes.
func resident(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseResident(string(text))
}

func parseResident(status string) (int, error) {
	_, rest, ok := strings.Cut(status, "VmRSS:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); !ok || err != nil {
		return 0, errors.Join(errors.New("no VmRSS in /proc/PID/status"), err)
	}
	return kib << 10, nil
}
