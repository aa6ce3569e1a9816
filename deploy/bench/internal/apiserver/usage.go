package apiserver

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time that the server, embedded etcd included, has used so far: user and system. It is what
// /proc/PID/stat counts in ticks of 10 ms, read in nanoseconds.
func (s *Server) CPU() (time.Duration, error) {
	// A process' CPU clock has its PID, inverted, above three bits that say which clock: 2 is scheduled time.
	const scheduled = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^s.cmd.Process.Pid<<3|scheduled), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of the API server: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// PeakRSS is the most memory that the server has had resident so far, in bytes.
func (s *Server) PeakRSS() (int64, error) { return s.status("VmHWM") }

// RSS is the memory that the server has resident now, in bytes.
func (s *Server) RSS() (int64, error) { return s.status("VmRSS") }

// FileRSS is how much of RSS are pages of files: of the program, and of the database that etcd maps.
func (s *Server) FileRSS() (int64, error) { return s.status("RssFile") }

func (s *Server) status(field string) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s is not in %s", field, f.Name())
}
