//go:build unix

package trigger

import (
	"os/exec"
	"syscall"
)

// endTogether gives a command a process group of its own, so that what a shell started ends with it.
func endTogether(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
