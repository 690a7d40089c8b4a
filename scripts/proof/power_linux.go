package proof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// powerCuts is the experiment that takes the file system away under load.
func powerCuts() []Experiment {
	return []Experiment{{
		Name:     "power-cut",
		Promise:  "What was answered with a 2xx is there, byte for byte, after a power cut under load (an ext4 that drops all it has not been told to sync)",
		Unit:     "power cuts",
		Goal:     500,
		Controls: []string{"synchronous-normal", "synchronous-off"},
		Tries:    20,
		Needs:    needsDisks,
		Try:      onDisk(cutPower),
	}}
}

// disk is a file system in a file, mounted through a loop device.
type disk struct{ image, mount string }

// needsDisks tells whether this process may mount.
func needsDisks() error {
	folder, err := os.MkdirTemp("", "hookrange-proof-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // an empty folder stays at worst
	d, err := newDisk(context.Background(), folder, 16<<20)
	if err != nil {
		return fmt.Errorf("%w: it needs root, mkfs.ext4 and loop devices: %w", ErrNotHere, err)
	}
	return d.remove()
}

// newDisk makes and mounts a file system of so many bytes in folder.
func newDisk(ctx context.Context, folder string, size int64) (*disk, error) {
	d := &disk{image: filepath.Join(folder, "disk.img"), mount: filepath.Join(folder, "disk")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(d.image, size); err != nil {
		return nil, err
	}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		return nil, err
	}
	if err := command(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", d.image); err != nil {
		return nil, err
	}
	if err := d.attach(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

func command(ctx context.Context, name string, args ...string) error {
	//nolint:gosec // the caller names the program
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// attach mounts it; mount sets a loop device up that goes with the mount.
func (d *disk) attach(ctx context.Context) error {
	return command(ctx, "mount", "-o", "loop", d.image, d.mount)
}

// detach unmounts it. A process that was killed a moment ago may hold it still.
func (d *disk) detach() error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := unix.Unmount(d.mount, 0)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// remove unmounts it, lazily if need be, so that no mount outlives a try.
func (d *disk) remove() error {
	if err := unix.Unmount(d.mount, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return errors.Join(err, unix.Unmount(d.mount, unix.MNT_DETACH))
	}
	return nil
}

// cut stops the file system as a power cut does: nothing that is only in memory reaches the disk, the journal included.
func (d *disk) cut() error {
	const (
		shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
		noLogFlush = 2
	)
	folder, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	return errors.Join(unix.IoctlSetPointerInt(int(folder.Fd()), shutdown, noLogFlush), folder.Close())
}

// onDisk is a try on a fresh program, already started, that keeps its data on a disk of its own.
func onDisk(try func(ctx context.Context, r *rig, d *disk) error) func(context.Context, *Build) (Count, error) {
	return trying(func(ctx context.Context, p *program, count *Count) (err error) {
		d, err := newDisk(ctx, p.folder, 256<<20)
		if err != nil {
			return err
		}
		// A disk is removed when nothing runs on it.
		defer func() { err = errors.Join(err, p.kill(), d.remove()) }()
		p.data = filepath.Join(d.mount, "data")
		if err = p.start(ctx); err != nil {
			return err
		}
		return try(ctx, &rig{program: p, ledger: newLedger(), count: count}, d)
	})
}

func cutPower(ctx context.Context, r *rig, d *disk) error {
	r.count.Tried = 1
	senders := r.ledger.send(ctx, r.program.hook("default"), load)
	wait(ctx, 50*time.Millisecond, 800*time.Millisecond)
	if err := r.cut(ctx, d, senders); err != nil {
		return err
	}
	return r.account(ctx)
}

// cut takes the power away from disk and program, and gives the disk back. A machine without power answers nothing, so
// what is answered from here on does not count: while the file system goes, a sync that has begun may succeed and keep
// nothing.
func (r *rig) cut(ctx context.Context, d *disk, senders *senders) error {
	r.ledger.close()
	r.ended = time.Now()
	err := errors.Join(d.cut(), r.program.kill())
	senders.end()
	return errors.Join(err, d.detach(), d.attach(ctx))
}
