package token

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of keys, in bytes. The least is the length of the tag that they make.
const (
	minKey   = 16
	maxKey   = 4096
	maxKeyID = 64
)

const (
	// keysPeriod is the time between two looks at the folder.
	keysPeriod = 10 * time.Second
	// unknownPeriod is the same while a token names a key that is not there: who signs may have it earlier.
	unknownPeriod = time.Second
)

// Keys are those in a folder: each file is a key, whose name is its id. White space at its end is no part of it.
//
// The files are read again when they change, so that keys are rotated without a restart: add the new one, and
// take the old one away once its tokens have expired. It may be used by several goroutines.
type Keys struct {
	folder string
	now    func() time.Time
	ring   atomic.Pointer[ring]
	reads  sync.Mutex
}

// ring are the keys as they were read last.
type ring struct {
	read    time.Time
	keys    map[string][]byte
	newest  string
	problem string
	// broken: there is something that cannot be read as a key.
	broken bool
}

// OpenKeys reads the keys in a folder. It may be empty or absent: then there is none until it is filled.
func OpenKeys(folder string) *Keys { return openKeys(folder, time.Now) }

func openKeys(folder string, now func() time.Time) *Keys {
	k := &Keys{folder: folder, now: now}
	k.ring.Store(&ring{})
	k.refresh(0)
	return k
}

// Problem says why there is no key, or which file is none; "" if all is well.
func (k *Keys) Problem() string { return k.refresh(keysPeriod).problem }

// newestKey is the last one in the order of ids, which signs.
func (k *Keys) newestKey() (id string, key []byte, ok bool) {
	ring := k.refresh(keysPeriod)
	key, ok = ring.keys[ring.newest]
	return ring.newest, key, ok
}

// key is the one of an id.
func (k *Keys) key(id string) ([]byte, bool) {
	if key, ok := k.refresh(keysPeriod).keys[id]; ok {
		return key, true
	}
	key, ok := k.refresh(unknownPeriod).keys[id]
	return key, ok
}

// refresh reads the folder if what was read is older than age. One goroutine reads, the others do not wait.
func (k *Keys) refresh(age time.Duration) *ring {
	last := k.ring.Load()
	if now := k.now(); now.Sub(last.read) >= age && k.reads.TryLock() {
		defer k.reads.Unlock()
		last = read(k.folder, last)
		last.read = now
		k.ring.Store(last)
	}
	return last
}

// read gives the keys in a folder; those of last if it cannot be read, as while a volume is replaced.
func read(folder string, last *ring) *ring {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return &ring{
			keys: last.keys, newest: last.newest, problem: fmt.Sprintf("cannot read the keys: %v", err),
			broken: !errors.Is(err, fs.ErrNotExist),
		}
	}
	next := &ring{keys: map[string][]byte{}}
	for _, entry := range entries {
		id := entry.Name()
		if strings.HasPrefix(id, ".") {
			// A mounted Secret keeps its files in folders that begin with a dot.
			continue
		}
		key, err := readKey(filepath.Join(folder, id))
		switch {
		case len(id) > maxKeyID:
			next.problem = fmt.Sprintf("key %s...: its name has more than %d bytes", id[:maxKeyID], maxKeyID)
		case err != nil:
			next.problem = fmt.Sprintf("key %s: %v", id, err)
		default:
			next.keys[id] = key
			next.newest = max(next.newest, id)
		}
	}
	next.broken = next.problem != ""
	if len(next.keys) == 0 && !next.broken {
		next.problem = fmt.Sprintf("there is no key in %s; add a file of %d or more random bytes", folder, minKey)
	}
	return next
}

func readKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is not a file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxKey+1))
	if err != nil {
		return nil, err
	}
	key := slices.Clip([]byte(strings.TrimRight(string(content), " \t\r\n")))
	if len(key) < minKey || len(content) > maxKey {
		return nil, fmt.Errorf("it has %d bytes, but must have %d to %d", len(key), minKey, maxKey)
	}
	return key, nil
}

// Any tells whether there is a key.
func (k *Keys) Any() bool { return len(k.refresh(keysPeriod).keys) > 0 }
