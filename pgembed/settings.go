package pgembed

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// tunables suit a small server for one program; Settings may change them.
func tunables(major int) map[string]string {
	s := map[string]string{
		"cluster_name":     "grantwood", // seen in the list of processes
		"max_connections":  "100",
		"shared_buffers":   "128MB",
		"work_mem":         "16MB", // a report over 50,000 sums groups them in memory; with the default of 4 it sorts them on disk, and costs 1.4 times as much
		"deadlock_timeout": "200ms",
		"timezone":         "UTC",
		"log_timezone":     "UTC",
		"log_line_prefix":  "%m [%p] ",
		"jit":              "off", // its start costs more than it saves on statements that touch few rows

		// The statement and its DETAIL may hold what people entered, which does not belong into a log.
		"log_error_verbosity":     "terse",
		"log_min_error_statement": "panic",
	}
	// A statement whose client is gone is given up even when it never waits. Before version 15 only Linux can.
	if runtime.GOOS == "linux" || major >= 15 {
		s["client_connection_check_interval"] = "2s"
	}
	return s
}

// durability is explicit in both directions: the command line wins over the configuration files.
func durability(volatile bool) map[string]string {
	if volatile {
		return map[string]string{
			"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
			"wal_level": "minimal", "max_wal_senders": "0",
			// Shared memory in the data directory: when that is removed, a killed server leaves none behind.
			"dynamic_shared_memory_type": "mmap",
		}
	}
	return map[string]string{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
}

// private keeps the server to its socket, and its messages to our pipe.
func private(socketDir string) map[string]string {
	return map[string]string{
		"listen_addresses": "",
		"port":             port,
		// A list of paths in double quotes, in which a double quote is doubled.
		"unix_socket_directories": `"` + strings.ReplaceAll(socketDir, `"`, `""`) + `"`,
		"unix_socket_permissions": "0700",
		"logging_collector":       "off",
		"log_destination":         "stderr",
	}
}

// fixed are further names that Settings may not carry, beside those of durability and private.
var fixed = []string{"data_directory", "hba_file", "ident_file", "config_file", "external_pid_file"}

// arguments is the command line of the server in data.
func arguments(data, socketDir string, major int, o Options) ([]string, error) {
	all := tunables(major)
	ours := durability(o.Volatile)
	maps.Copy(ours, private(socketDir))
	for given, value := range o.Settings {
		name := strings.ToLower(given)
		if _, taken := ours[name]; taken || slices.Contains(fixed, name) {
			return nil, fmt.Errorf("setting %s: the private server decides it by itself", given)
		}
		all[name] = value
	}
	maps.Copy(all, ours)
	args := []string{"-D", data}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	return args, nil
}
