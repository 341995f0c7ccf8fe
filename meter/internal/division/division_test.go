package division

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/quick"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const (
	placeOfAlice = 4006
	placeOfOne   = 7361
)

const both = `{
	"mirror": {"percent": 20, "url": "http://fraud-2.shop.svc:80", "revision": "fraud-2", "later": 1},
	"share": {"percent": 0.5, "url": "http://fraud-2.shop.svc", "grpcUrl": "http://fraud-2.shop.svc:9000/",
	          "revision": "fraud-2", "header": "X-User-Id"},
	"other": {}
}`

func TestADivisionIsRead(t *testing.T) {
	found, err := Parse([]byte(both), "fraud")
	if err != nil {
		t.Fatal(err)
	}
	if m := found.Mirror; *m != (Mirror{Target{"fraud-2", "fraud-2.shop.svc:80", ""}, 20}) {
		t.Errorf("%+v", m)
	}
	if s := found.Share; s.Target != (Target{"fraud-2", "fraud-2.shop.svc", "fraud-2.shop.svc:9000"}) || s.Percent != 0.5 ||
		s.Header != "X-User-Id" || s.below != 50 {
		t.Errorf("%+v", s)
	}
}

func TestNothingIsDividedByWhatSaysNothing(t *testing.T) {
	for _, text := range []string{"", " \n", "null", "{}", `{"mirror": null}`, strings.ReplaceAll(strings.ReplaceAll(both, "20", "0"), "0.5", "0")} {
		if found, err := Parse([]byte(text), ""); err != nil || *found != (Division{}) {
			t.Errorf("%q: %+v, %v", text, found, err)
		}
	}
}

func TestABrokenDivisionIsRefused(t *testing.T) {
	for old, changed := range map[string]string{
		`"percent": 20`:                  `"percent": 101`,
		`"percent": 20,`:                 ``,
		`"percent": 0.5`:                 `"percent": -1`,
		`"percent": 0.5,`:                `"percent": "5",`,
		`"http://fraud-2.shop.svc:80"`:   `"https://fraud-2.shop.svc"`,
		`"http://fraud-2.shop.svc"`:      `"fraud-2.shop.svc:80"`,
		`"http://fraud-2.shop.svc",`:     `"http://fraud-2.shop.svc/v2",`,
		`fraud-2.shop.svc:9000/`:         `fraud-2.shop.svc:x`,
		`"revision": "fraud-2", "later"`: `"later"`,
		`"X-User-Id"`:                    `"X User"`,
		`"other"`:                        `other`,
	} {
		text := strings.Replace(both, old, changed, 1)
		if found, err := Parse([]byte(text), ""); text == both || err == nil || found != nil {
			t.Errorf("%s: %+v", changed, found)
		}
	}
}

func share(t *testing.T, salt string, percent float64) *Share {
	t.Helper()
	found, err := Parse(fmt.Appendf(nil, `{"share": {"percent": %g, "url": "http://a", "revision": "b", "header": "c"}}`, percent), salt)
	if err != nil {
		t.Fatal(err)
	}
	return found.Share
}

func TestAValueStaysWithTheCanaryAsItsShareGrows(t *testing.T) {
	property := func(value string, one, other uint16) bool {
		small, large := share(t, "fraud", 1+float64(min(one, other)%9900)/100), share(t, "fraud", 100)
		large.below = small.below + uint64(max(one, other))%(places-small.below+1)
		return small.Has(value) == share(t, "fraud", small.Percent).Has(value) && (!small.Has(value) || large.Has(value))
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

// The place is part of what is documented: who knows it can tell which revision answers whom.
func TestPlacesStayTheSame(t *testing.T) {
	for value, want := range map[string]uint64{"alice": placeOfAlice, "1": placeOfOne} {
		if got := place("fraud", value); got != want {
			t.Errorf("%s is at %d", value, got)
		}
	}
}

func TestAShareHasItsPartOfValuesThatAreAlike(t *testing.T) {
	const values = 200_000
	for _, percent := range []float64{0.01, 0.5, 10, 33.33, 99} {
		own, has := share(t, "fraud", percent), 0
		for i := range values {
			if own.Has(fmt.Sprintf("user-%06d", i)) {
				has++
			}
		}
		part := percent / 100
		if off := math.Abs(float64(has) - values*part); off > 4*math.Sqrt(values*part*(1-part)) {
			t.Errorf("%v %% has %d of %d", percent, has, values)
		}
	}
	if !share(t, "fraud", 100).Has("any") {
		t.Error("all is not all")
	}
}

func TestDeploymentsDivideIndependently(t *testing.T) {
	one, other, both := share(t, "fraud", 50), share(t, "churn", 50), 0
	for i := range 10_000 {
		if value := fmt.Sprint(i); one.Has(value) && other.Has(value) {
			both++
		}
	}
	if both < 2300 || both > 2700 {
		t.Errorf("%d of 10000 values are in both halves", both)
	}
}

func TestAMirrorDrawsItsPercent(t *testing.T) {
	const draws = 200_000
	for _, percent := range []float64{0.5, 20, 100} {
		mirror, chosen := &Mirror{Percent: percent}, 0
		for range draws {
			if mirror.Chosen() {
				chosen++
			}
		}
		part := percent / 100
		if off := math.Abs(float64(chosen) - draws*part); off > 6*math.Sqrt(draws*part*(1-part)) {
			t.Errorf("%v %%: %d of %d", percent, chosen, draws)
		}
	}
}

// volume is a folder as the kubelet writes it: a link to a link to a folder that is replaced as a whole.
type volume struct {
	t      *testing.T
	folder string
	number int
}

func (v *volume) path() string { return filepath.Join(v.folder, "division") }

func (v *volume) write(text string) {
	v.t.Helper()
	v.number++
	data := fmt.Sprintf("..%d", v.number)
	must := func(err error) {
		if err != nil {
			v.t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(v.folder, data), 0o700))
	must(os.WriteFile(filepath.Join(v.folder, data, "division"), []byte(text), 0o600))
	must(os.Symlink(data, filepath.Join(v.folder, "..tmp")))
	must(os.Rename(filepath.Join(v.folder, "..tmp"), filepath.Join(v.folder, "..data")))
	if v.number == 1 {
		must(os.Symlink(filepath.Join("..data", "division"), v.path()))
	}
}

func TestAFileIsReadAgain(t *testing.T) {
	v := &volume{t: t, folder: t.TempDir()}
	var told []*Division
	f := Open(v.path(), "fraud", func(d *Division) { told = append(told, d) }, prometheus.NewRegistry())
	if *f.Now() != (Division{}) || len(told) != 0 {
		t.Errorf("%+v without a file", f.Now())
	}
	v.write("")
	f.look()
	v.write(both)
	f.look()
	first := f.Now()
	if first.Mirror == nil || len(told) != 1 || told[0] != first {
		t.Errorf("%+v", first)
	}
	if f.look(); f.Now() != first || len(told) != 1 {
		t.Error("what is the same is told again")
	}
	if n := testutil.ToFloat64(f.percent.WithLabelValues("share", "fraud-2")); n != 0.5 {
		t.Errorf("%v %%", n)
	}
	v.write(strings.Replace(both, "20", "40", 1))
	if f.look(); f.Now().Mirror.Percent != 40 {
		t.Errorf("%+v", f.Now().Mirror)
	}
	v.write("")
	if f.look(); *f.Now() != (Division{}) || testutil.CollectAndCount(f.percent) != 0 {
		t.Errorf("%+v of an empty file", f.Now())
	}
}

func TestWhatWasKnownStaysIfAFileCannotBeRead(t *testing.T) {
	v := &volume{t: t, folder: t.TempDir()}
	v.write(both)
	f := Open(v.path(), "fraud", nil, prometheus.NewRegistry())
	first := f.Now()
	for i, text := range []string{"{", `{"mirror": {}}`, both + strings.Repeat(" ", mostBytes)} {
		v.write(text)
		if f.look(); f.Now() != first || testutil.ToFloat64(f.unreadable) != float64(i+1) {
			t.Errorf("%.20q: %+v, counted %v", text, f.Now(), testutil.ToFloat64(f.unreadable))
		}
	}
	v.write(both)
	if f.look(); f.Now() != first {
		t.Error("what is the same as before is another division")
	}
	if err := os.RemoveAll(v.folder); err != nil {
		t.Fatal(err)
	}
	if f.look(); *f.Now() != (Division{}) {
		t.Errorf("%+v without a file", f.Now())
	}
}

func TestCountsOfAFormerTargetGo(t *testing.T) {
	v := &volume{t: t, folder: t.TempDir()}
	v.write(both)
	f := Open(v.path(), "fraud", nil, prometheus.NewRegistry())
	f.Count(&f.Now().Share.Target, Passed)
	v.write("")
	f.look()
	if testutil.CollectAndCount(f.divided) != 6 {
		t.Error("counts went with the share")
	}
	v.write(strings.ReplaceAll(both, "fraud-2", "fraud-3"))
	f.look()
	if testutil.CollectAndCount(f.divided) != 6 || testutil.ToFloat64(f.divided.WithLabelValues("fraud-3", Passed)) != 0 {
		t.Error("counts of a former target stay, or do not begin at 0")
	}
}

func TestATargetIsSoughtUntilItIsFound(t *testing.T) {
	v := &volume{t: t, folder: t.TempDir()}
	v.write(both)
	f := Open(v.path(), "fraud", nil, prometheus.NewRegistry())
	sought, there := 0, false
	f.Finding(func(context.Context, *Target) bool { sought++; return there })
	target := &f.Now().Mirror.Target
	if f.seek(t.Context()); f.Reached(target) || sought != 1 {
		t.Errorf("reached after %d", sought)
	}
	there = true
	f.seek(t.Context())
	f.seek(t.Context())
	if !f.Reached(target) || sought != 2 {
		t.Errorf("not reached, or sought on: %d", sought)
	}
	v.write(strings.ReplaceAll(both, "fraud-2", "fraud-3"))
	if f.look(); f.Reached(&f.Now().Mirror.Target) {
		t.Error("another target counts as found")
	}
}
