package feedback

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// again is a server that starts in the folder of one that has crashed: it was not closed, but for its lock.
func again(t *testing.T, crashed *stand) *stand {
	t.Helper()
	if err := crashed.journal.lock.Close(); err != nil {
		t.Fatal(err)
	}
	return started(t, Config{Folder: crashed.config.Folder, Keys: crashed.keys, Window: crashed.config.Window})
}

func TestARestartForgetsNothing(t *testing.T) {
	s := started(t, Config{Folder: t.TempDir()})
	token := signed(s.keys, shop, `["a", "b"]`)
	first, second := lined(token, `"row": 0, "label": "a"`), lined(token, `"row": 1, "label": "a"`)
	if got := s.posted(t, first); got != "200 accepted 1" {
		t.Fatal(got)
	}
	s = again(t, s)
	if got := s.posted(t, first+second); got != "200 accepted 1 repeated 1" {
		t.Error(got)
	}
	s = again(t, s)
	if got := s.posted(t, first+second); got != "200 repeated 2" {
		t.Error(got)
	}
	if testutil.ToFloat64(s.metrics.remembered) != 1 {
		t.Error("not one answer is remembered")
	}
}

func TestATornLastLineIsCutOff(t *testing.T) {
	s := started(t, Config{Folder: t.TempDir()})
	first, second := lined(signed(s.keys, shop, `["a"]`), `"label": "a"`), lined(signed(s.keys, shop, `["a"]`), `"label": "a"`)
	if got := s.posted(t, first); got != "200 accepted 1" {
		t.Fatal(got)
	}
	for _, torn := range []string{"0123456789ab", "0123456789abcdef 0000000000000001 17", strings.Repeat("x", 10000)} {
		path := s.journal.path()
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(content, torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		s = again(t, s)
		if got := s.posted(t, first); got != "200 repeated 1" {
			t.Error(got)
		}
	}
	if got := s.posted(t, second); got != "200 accepted 1" {
		t.Error(got)
	}
	s = again(t, s)
	if got := s.posted(t, first+second); got != "200 repeated 2" {
		t.Error(got)
	}
}

func TestLinesThatAreNoneAreSkipped(t *testing.T) {
	folder := t.TempDir()
	now := time.Now()
	content := fmt.Sprintf("rubbish\n%s\n0123456789abcdef 0000000000000001 %d\n\n", strings.Repeat("x", 10000), now.Unix())
	if err := os.WriteFile(filepath.Join(folder, journalName), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	into := newSeen(day, 10)
	j, skipped, err := openJournal(folder, into, now)
	if err != nil || skipped != 3 || len(into.entries) != 1 {
		t.Errorf("%d skipped, %d seen, %v", skipped, len(into.entries), err)
	}
	j.close()
}

func TestALabelThatCannotBeWrittenDownIsNotCounted(t *testing.T) {
	s := started(t, Config{Folder: t.TempDir()})
	line := lined(signed(s.keys, shop, `["a"]`), `"label": "a"`)
	whole := s.journal.file
	// A device that is full: each write fails.
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.journal.file = full
	if got := s.posted(t, line); got != "503 labels cannot be kept now; post them again later" {
		t.Error(got)
	}
	if s.total("", "good") != 0 {
		t.Error("counted")
	}
	s.journal.file = whole
	if got := s.posted(t, line); got != "200 accepted 1" {
		t.Errorf("the client's second try: %s", got)
	}
	s = again(t, s)
	if got := s.posted(t, line); got != "200 repeated 1" {
		t.Error(got)
	}
}

func TestTheJournalIsCompacted(t *testing.T) {
	folder := t.TempDir()
	now := time.Now()
	into := newSeen(day, 1000)
	j, _, err := openJournal(folder, into, now)
	if err != nil {
		t.Fatal(err)
	}
	late := now.Add(2 * day)
	marks := make([]mark, spare)
	for i := range marks {
		marks[i] = mark{uint64(i), 0}
	}
	if err := j.append(marks, now); err != nil {
		t.Fatal(err)
	}
	for row := range 3 {
		into.add(mark{7, row}, late)
	}
	if err := j.append([]mark{{7, 0}, {7, 1}, {7, 2}}, late); err != nil {
		t.Fatal(err)
	}
	if err := j.compact(into); err != nil || j.lines != 1 {
		t.Fatal(j.lines, err)
	}
	if err := j.append([]mark{{8, 63}}, late); err != nil {
		t.Fatal(err)
	}
	j.close()
	read := newSeen(day, 1000)
	j, skipped, err := openJournal(folder, read, late)
	if err != nil || skipped != 0 || len(read.entries) != 2 || read.entries[7].rows != 7 || read.entries[8].rows != 1<<63 {
		t.Errorf("%v, %d skipped, %v", read.entries, skipped, err)
	}
	j.close()
}

func TestAFolderHasOneServer(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "seen.123"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j, _, err := openJournal(folder, newSeen(day, 1), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openJournal(folder, newSeen(day, 1), time.Now()); err == nil || !strings.Contains(err.Error(), "is in use by another feedback server") {
		t.Error(err)
	}
	j.close()
	if left, _ := filepath.Glob(filepath.Join(folder, "seen.*")); len(left) > 0 {
		t.Error(left)
	}
}
