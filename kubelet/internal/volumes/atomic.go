package volumes

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// dataLink is the symbolic link whose target is the present content; replacing it replaces all files at once.
const dataLink = "..data"

// write makes a volume's content what files say: a reader sees either all of the old or all of the new content. A
// volume that has the content already is not touched.
func write(dir string, f files, group int64, withGroup bool) error {
	if current, err := same(dir, f); err == nil && current {
		return nil
	}
	fresh, err := os.MkdirTemp(dir, ".."+time.Now().UTC().Format("2006_01_02_15_04_05."))
	if err != nil {
		return err
	}
	if err := fill(fresh, f, group, withGroup); err != nil {
		return errors.Join(err, os.RemoveAll(fresh))
	}
	temporary := filepath.Join(dir, "..data_tmp")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(filepath.Base(fresh), temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, filepath.Join(dir, dataLink)); err != nil {
		return err
	}
	if err := link(dir, f); err != nil {
		return err
	}
	return sweep(dir, filepath.Base(fresh))
}

// same tells whether the present content is that of files.
func same(dir string, f files) (bool, error) {
	data := filepath.Join(dir, dataLink)
	found := 0
	root, err := filepath.EvalSymlinks(data)
	if err != nil {
		return false, err
	}
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		want, ok := f[name]
		if !ok {
			return fmt.Errorf("%s is not wanted any more", name)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(content, want.content) {
			return fmt.Errorf("%s has changed", name)
		}
		found++
		return nil
	})
	if err != nil || found != len(f) {
		return false, err
	}
	for name := range f {
		if _, err := os.Lstat(filepath.Join(dir, topOf(name))); err != nil {
			return false, err
		}
	}
	return true, nil
}

func fill(dir string, f files, group int64, withGroup bool) error {
	if err := own(dir, 0o755, group, withGroup); err != nil {
		return err
	}
	for name, content := range f {
		path := filepath.Join(dir, name)
		for parent := filepath.Dir(name); parent != "."; parent = filepath.Dir(parent) {
			if err := os.MkdirAll(filepath.Join(dir, parent), 0o755); err != nil {
				return err
			}
			if err := own(filepath.Join(dir, parent), 0o755, group, withGroup); err != nil {
				return err
			}
		}
		if err := os.WriteFile(path, content.content, 0o600); err != nil {
			return err
		}
		mode := os.FileMode(content.mode) & os.ModePerm
		if withGroup {
			mode |= 0o440
		}
		if err := own(path, mode, group, withGroup); err != nil {
			return err
		}
	}
	return nil
}

func own(path string, mode os.FileMode, group int64, withGroup bool) error {
	if withGroup {
		if err := os.Lchown(path, -1, int(group)); err != nil {
			return err
		}
	}
	// After the change of owner, which clears bits; and whatever the umask is.
	return os.Chmod(path, mode)
}

func topOf(name string) string {
	top, _, _ := strings.Cut(name, "/")
	return top
}

// link makes the names that users see, each a symbolic link through ..data.
func link(dir string, f files) error {
	for name := range f {
		top := topOf(name)
		err := os.Symlink(filepath.Join(dataLink, top), filepath.Join(dir, top))
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// sweep removes names that lead nowhere any more, and all content but the present one.
func sweep(dir, current string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Name() == dataLink || e.Name() == current:
		case e.IsDir() && strings.HasPrefix(e.Name(), ".."):
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		case e.Type()&os.ModeSymlink != 0:
			if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
				if err := os.Remove(path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
