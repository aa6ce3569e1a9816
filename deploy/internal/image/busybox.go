package image

import (
	"fmt"
	"os/exec"
	"strings"
)

// Busybox describes an image with Debian's static busybox and all its commands, for tests and for trying things out.
// extra adds binaries: path in the image -> file of this machine.
func Busybox(tag string, extra map[string]string) (Spec, error) {
	binary, err := exec.LookPath("busybox")
	if err != nil {
		return Spec{}, fmt.Errorf("busybox is not installed: %w", err)
	}
	out, err := exec.Command(binary, "--list").Output()
	if err != nil {
		return Spec{}, fmt.Errorf("%s --list: %w", binary, err)
	}
	s := Spec{
		Tag: tag, Cmd: []string{"sh"},
		Files:    map[string]string{"/bin/busybox": binary},
		Symlinks: map[string]string{},
		Text: map[string]string{
			"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
			"/etc/group":  "root:x:0:\nnogroup:x:65534:\n",
		},
	}
	for _, applet := range strings.Fields(string(out)) {
		if applet != "busybox" {
			s.Symlinks["/bin/"+applet] = "/bin/busybox"
		}
	}
	for target, file := range extra {
		s.Files[target] = file
	}
	return s, nil
}
