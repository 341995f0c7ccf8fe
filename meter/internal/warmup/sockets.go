package warmup

import (
	"bufio"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// tables are the kernel's of all sockets of the pod.
var tables = []string{"/proc/net/tcp", "/proc/net/tcp6"}

const listens = "0A"

// processes are the identities of the sockets that listen on a port; a new process has a new one.
type processes map[string]bool

func (p processes) shares(other processes) bool {
	for one := range p {
		if other[one] {
			return true
		}
	}
	return false
}

// listening looks into the tables. Where the kernel does not show them, or the model server is elsewhere, it is
// only told whether something listens.
func listening(address string, tables []string) processes {
	host, port, _ := net.SplitHostPort(address)
	found, shown := processes{}, false
	if number, err := strconv.ParseUint(port, 10, 16); err == nil && isLocal(host) {
		for _, table := range tables {
			shown = listed(table, number, found) || shown
		}
	}
	if shown {
		return found
	}
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return found
	}
	connection.Close()
	return processes{"something": true}
}

func isLocal(host string) bool {
	return host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// listed adds what a table lists, and tells whether it could be read.
func listed(table string, port uint64, found processes) bool {
	file, err := os.Open(table)
	if err != nil {
		return false
	}
	defer file.Close()
	rows := bufio.NewScanner(file)
	if !rows.Scan() {
		return false
	}
	for rows.Scan() {
		fields := strings.Fields(rows.Text())
		if len(fields) < 10 || fields[3] != listens {
			continue
		}
		local := fields[1][strings.LastIndexByte(fields[1], ':')+1:]
		if number, err := strconv.ParseUint(local, 16, 32); err == nil && number == port {
			found[fields[9]] = true
		}
	}
	return true
}
