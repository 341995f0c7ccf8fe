package feedback

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	journalName = "seen"
	lockName    = "lock"
	// spare is the number of lines beyond twice those needed from which on the journal is compacted.
	spare = 10_000
)

// journal is the file that keeps what was seen: a line an entry, of an answer's id and rows, hexadecimal, and
// seconds. It is only appended to until it is compacted, so that a crash tears no line but the last.
type journal struct {
	folder string
	lock   *os.File
	file   *os.File
	size   int64
	lines  int
	broken bool
}

// openJournal reads the journal in a folder into what was seen. It fails where another process has it open.
// skipped is the number of lines that are none.
func openJournal(folder string, into *seen, now time.Time) (j *journal, skipped int, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, 0, err
	}
	lock, err := os.OpenFile(filepath.Join(folder, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, 0, err
	}
	j = &journal{folder: folder, lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		j.close()
		return nil, 0, fmt.Errorf("%s is in use by another feedback server; run one a folder: %w", folder, err)
	}
	j.tidy()
	if j.file, err = os.OpenFile(j.path(), os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		skipped, err = j.load(into, now)
	}
	if err == nil {
		err = synced(folder)
	}
	if err != nil {
		j.close()
		return nil, 0, err
	}
	return j, skipped, nil
}

func (j *journal) path() string { return filepath.Join(j.folder, journalName) }

// tidy removes what a compaction left that did not end.
func (j *journal) tidy() {
	left, _ := filepath.Glob(j.path() + ".*")
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// load reads the file, and cuts off a last line that was torn.
func (j *journal) load(into *seen, now time.Time) (skipped int, err error) {
	reader := bufio.NewReaderSize(j.file, 4096)
	begun := 0
	for {
		line, err := reader.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			begun += len(line)
			continue
		}
		if err != nil {
			return 0, err
		}
		if id, read, ok := parseEntry(line); ok && begun == 0 {
			into.restore(id, read, now)
		} else {
			skipped++
		}
		j.size += int64(begun + len(line))
		j.lines++
		begun = 0
	}
	if err := j.file.Truncate(j.size); err != nil {
		return 0, err
	}
	_, err = j.file.Seek(j.size, io.SeekStart)
	return skipped, err
}

func appendEntry(to []byte, id uint64, e entry) []byte {
	to = hex.AppendEncode(to, binary.BigEndian.AppendUint64(nil, id))
	to = hex.AppendEncode(append(to, ' '), binary.BigEndian.AppendUint64(nil, e.rows))
	return append(strconv.AppendInt(append(to, ' '), e.last, 10), '\n')
}

func parseEntry(line []byte) (id uint64, e entry, ok bool) {
	parts := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	if len(parts) != 3 || len(parts[0]) != 16 || len(parts[1]) != 16 {
		return 0, entry{}, false
	}
	var errs [3]error
	id, errs[0] = strconv.ParseUint(string(parts[0]), 16, 64)
	e.rows, errs[1] = strconv.ParseUint(string(parts[1]), 16, 64)
	e.last, errs[2] = strconv.ParseInt(string(parts[2]), 10, 64)
	return id, e, errors.Join(errs[:]...) == nil
}

// append writes entries through to the disk, or none of them.
func (j *journal) append(marks []mark, now time.Time) error {
	if j.broken {
		if err := j.undo(); err != nil {
			return err
		}
	}
	var content []byte
	for _, m := range marks {
		content = appendEntry(content, m.id, entry{uint64(1) << m.row, now.Unix()})
	}
	_, err := j.file.Write(content)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return errors.Join(err, j.undo())
	}
	j.size += int64(len(content))
	j.lines += len(marks)
	return nil
}

// undo cuts off what was written in vain. Until it succeeds nothing is written behind that.
func (j *journal) undo() error {
	err := j.file.Truncate(j.size)
	if err == nil {
		_, err = j.file.Seek(j.size, io.SeekStart)
	}
	j.broken = err != nil
	return err
}

// compact writes what was seen to a new file, if the old one has many lines that are no longer needed.
func (j *journal) compact(of *seen) error {
	if j.lines <= 2*len(of.entries)+spare {
		return nil
	}
	temporary, err := os.CreateTemp(j.folder, journalName+".*")
	if err != nil {
		return err
	}
	size, err := writeEntries(temporary, of)
	if err == nil {
		err = os.Rename(temporary.Name(), j.path())
	}
	if err != nil {
		_ = temporary.Close()
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	_ = j.file.Close()
	j.file, j.size, j.lines, j.broken = temporary, size, len(of.entries), false
	return synced(j.folder)
}

func writeEntries(to *os.File, of *seen) (size int64, err error) {
	buffered := bufio.NewWriter(to)
	var line []byte
	for id, known := range of.entries {
		line = appendEntry(line[:0], id, known)
		size += int64(len(line))
		// The error stays until Flush.
		_, _ = buffered.Write(line)
	}
	return size, errors.Join(buffered.Flush(), to.Sync())
}

// synced makes a folder's names outlive a crash.
func synced(folder string) error {
	opened, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close()
	}
	_ = j.lock.Close()
}
