package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"evenkeel.dev/meter/internal/exchange"
	"evenkeel.dev/meter/internal/profile"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// folder holds keys, by id.
func folder(t testing.TB, keys map[string]string) string {
	t.Helper()
	path := t.TempDir()
	for id, key := range keys {
		put(t, path, id, key)
	}
	return path
}

func put(t testing.TB, folder, id, key string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, id), []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
}

const first, second = "0123456789abcdef", "fedcba9876543210"

func payload() Payload {
	return Payload{
		ID: 7, Issued: noon, Deployment: "shop/elec", Revision: "elec-5d4f", Rows: []Row{
			{Prediction{Kind: Text, Text: "up"}, []string{"region=north", "tier=missing"}},
			{Prediction{Kind: Number, Number: -1.5}, []string{"region=süd", "tier=missing"}},
			{Prediction{}, nil},
		},
	}
}

func TestATokenSaysWhatWasSigned(t *testing.T) {
	keys := OpenKeys(folder(t, map[string]string{"2026-01": first}))
	token := sign("2026-01", []byte(first), payload())
	read, err := Verify(keys, token, "shop/elec", noon.Add(day), day)
	if err != nil || !reflect.DeepEqual(read, payload()) {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	keys := OpenKeys(folder(t, map[string]string{"a": first, "b": second}))
	good := sign("a", []byte(first), payload())
	content, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	signed := func(content []byte) string { return text(append(content, tag([]byte(first), content)...)) }
	for name, c := range map[string]struct {
		token, deployment string
		now               time.Time
		want              error
	}{
		"good":               {good, "shop/elec", noon, nil},
		"oldest":             {good, "shop/elec", noon.Add(day), nil},
		"clock before":       {good, "shop/elec", noon.Add(-time.Hour), nil},
		"empty":              {"", "shop/elec", noon, ErrUnreadable},
		"not base64":         {good[:len(good)-1] + "!", "shop/elec", noon, ErrUnreadable},
		"padding":            {good + "==", "shop/elec", noon, ErrUnreadable},
		"newline":            {good[:8] + "\n" + good[8:], "shop/elec", noon, ErrUnreadable},
		"too long":           {strings.Repeat("A", MaxLength+1), "shop/elec", noon, ErrUnreadable},
		"another version":    {text(append([]byte{2}, content[1:]...)), "shop/elec", noon, ErrUnreadable},
		"cut to nothing":     {text(content[:17]), "shop/elec", noon, ErrUnreadable},
		"cut":                {text(content[:len(content)-1]), "shop/elec", noon, ErrForged},
		"longer":             {text(append(append([]byte{}, content...), 0)), "shop/elec", noon, ErrForged},
		"another key":        {sign("a", []byte(second), payload()), "shop/elec", noon, ErrForged},
		"key of another id":  {sign("b", []byte(first), payload()), "shop/elec", noon, ErrForged},
		"unknown key":        {sign("c", []byte(first), payload()), "shop/elec", noon, ErrUnknownKey},
		"path as key":        {sign("../a", []byte(first), payload()), "shop/elec", noon, ErrUnknownKey},
		"another deployment": {good, "shop/elec2", noon, ErrOther},
		"expired":            {good, "shop/elec", noon.Add(day + time.Second), ErrExpired},
		"from the future":    {good, "shop/elec", noon.Add(-time.Hour - time.Second), ErrExpired},
		"signed rubbish":     {signed([]byte{1, 1, 'a', 9, 9}), "shop/elec", noon, ErrUnreadable},
		"signed and more":    {signed(append(encode("a", payload()), 0)), "shop/elec", noon, ErrUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Verify(keys, c.token, c.deployment, c.now, day); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	for i := range content {
		forged := append([]byte{}, content...)
		forged[i] ^= 1
		if _, err := Verify(keys, text(forged), "shop/elec", noon, day); err == nil {
			t.Errorf("accepted with another byte %d", i)
		}
	}
}

func TestATokenHoldsTheRowsThatFit(t *testing.T) {
	keys := OpenKeys(folder(t, map[string]string{"a": first}))
	for name, c := range map[string]struct {
		text string
		rows int
		want int
	}{
		"numbers of rows": {"up", MaxRows, MaxRows}, "too many": {"up", 1000, MaxRows}, "long": {strings.Repeat("x", 200), 64, 7},
		"too long": {strings.Repeat("x", 2000), 1, -1}, "none": {"", 0, -1},
	} {
		big := payload()
		big.Rows = nil
		for range c.rows {
			big.Rows = append(big.Rows, Row{Prediction: Prediction{Kind: Text, Text: c.text}})
		}
		token := sign("a", []byte(first), big)
		if (token == "") != (c.want < 0) || len(token) > MaxLength {
			t.Errorf("%s: %d characters", name, len(token))
		}
		if token == "" {
			continue
		}
		read, err := Verify(keys, token, "shop/elec", noon, day)
		if err != nil || len(read.Rows) != c.want {
			t.Errorf("%s: %d rows, %v", name, len(read.Rows), err)
		}
	}
}

func TestKeysAreRotatedWithoutARestart(t *testing.T) {
	path := folder(t, map[string]string{"2026-01": first + "\n"})
	now := noon
	keys := openKeys(path, func() time.Time { return now })
	old := sign("2026-01", []byte(first), payload())
	if id, key, ok := keys.newestKey(); id != "2026-01" || string(key) != first || !ok {
		t.Error(id, ok)
	}
	put(t, path, "2026-02", second)
	recent := sign("2026-02", []byte(second), payload())
	now = now.Add(unknownPeriod)
	// A token of a key that is not known yet makes the folder be read early.
	for _, token := range []string{recent, old} {
		if _, err := Verify(keys, token, "shop/elec", noon, day); err != nil {
			t.Error(err)
		}
	}
	if id, _, _ := keys.newestKey(); id != "2026-02" {
		t.Error(id)
	}
	if err := os.Remove(filepath.Join(path, "2026-01")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(keysPeriod)
	if _, err := Verify(keys, old, "shop/elec", noon, day); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(keysPeriod)
	if _, err := Verify(keys, recent, "shop/elec", noon, day); err != nil || !strings.Contains(keys.Problem(), "cannot read the keys") {
		t.Error(err, keys.Problem())
	}
}

func TestWhatIsNoKey(t *testing.T) {
	for name, c := range map[string]struct {
		keys map[string]string
		want string
	}{
		"none":  {nil, "there is no key in"},
		"short": {map[string]string{"a": "0123456789abcde\n\n"}, "key a: it has 15 bytes, but must have 16 to 4096"},
		"long":  {map[string]string{"a": strings.Repeat("x", 4097)}, "key a: it has 4097 bytes"},
		"name":  {map[string]string{strings.Repeat("a", 65): first}, "its name has more than 64 bytes"},
		"dots":  {map[string]string{"..data": first}, "there is no key in"},
	} {
		keys := OpenKeys(folder(t, c.keys))
		if _, _, ok := keys.newestKey(); ok || !strings.Contains(keys.Problem(), c.want) {
			t.Errorf("%s: %s", name, keys.Problem())
		}
	}
	if keys := OpenKeys(filepath.Join(t.TempDir(), "none")); !strings.Contains(keys.Problem(), "cannot read the keys") {
		t.Error(keys.Problem())
	}
}

// A mounted Secret: its files are links through a folder that is replaced.
func TestKeysOfAMountedSecret(t *testing.T) {
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, "..2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(path, "..2026"), "a", first)
	for link, target := range map[string]string{"..data": "..2026", "a": "..data/a"} {
		if err := os.Symlink(target, filepath.Join(path, link)); err != nil {
			t.Fatal(err)
		}
	}
	if id, _, _ := OpenKeys(path).newestKey(); id != "a" {
		t.Error(id)
	}
}

const reference = `{"schema": "evenkeel.dev/profile/v1", "rows": 2, "source": "trainer",
 "features": [
   {"name": "load", "type": "numeric", "edges": [0], "counts": [1, 1]},
   {"name": "region", "type": "categorical", "categories": ["north", "1"], "counts": [1, 1]}],
 "predictions": [{"name": "p", "type": "%s", %s}]}`

func TestTokensOfAnswers(t *testing.T) {
	parsed := func(content string) *profile.Profile {
		read, err := profile.Parse([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	classes := parsed(fmt.Sprintf(reference, "categorical", `"categories": ["0", "1"], "counts": [1, 1]`))
	numbers := parsed(fmt.Sprintf(reference, "numeric", `"edges": [0.5], "counts": [1, 1]`))
	features := parsed(`{"schema": "evenkeel.dev/profile/v1", "rows": 1, "source": "trainer", "features": [
		{"name": "region", "type": "categorical", "categories": ["north"], "counts": [1]}]}`)
	three := `{"instances": [{"load": 1, "region": "north"}, {"load": 2, "region": 1.0}, {"region": "west"}]}`
	for name, c := range map[string]struct {
		profile           *profile.Profile
		request, response string
		want              string
	}{
		"classes": {classes, three, `{"predictions": [1, 1.0, "x"]}`,
			"[{{2 0 1} [region=north]} {{2 0 1} [region=1]} {{2 0 x} [region=other]}]"},
		"numbers": {numbers, three, `{"predictions": [1, null, "x"]}`,
			"[{{1 1 } [region=north]} {{0 0 } [region=1]} {{0 0 } [region=other]}]"},
		"other rows":       {classes, three, `{"predictions": [1]}`, "[{{2 0 1} []}]"},
		"by name":          {classes, `{}`, `{"predictions": [{"p": 0, "q": 7}]}`, "[{{2 0 0} []}]"},
		"region is absent": {classes, `{"instances": [{"load": 1}]}`, `{"predictions": [1]}`, "[{{2 0 1} [region=missing]}]"},
		"no prediction":    {features, `{"instances": [{"region": "north"}]}`, `{"predictions": [0.5]}`, "[{{1 0.5 } [region=north]}]"},
		"no profile":       {nil, three, `{"predictions": [0.5, "a", null]}`, "[{{1 0.5 } []} {{2 0 a} []} {{0 0 } []}]"},
		"several columns":  {nil, three, `{"predictions": [[0.5, 0.5]]}`, "[{{0 0 } []}]"},
		"unknown answer":   {classes, three, "an image", "[{{0 0 } []}]"},
		"no rows":          {classes, three, `{"predictions": []}`, "[{{0 0 } []}]"},
		"endless":          {numbers, three, `{"predictions": [1e999]}`, "[{{0 0 } []}]"},
		"long text":        {nil, three, `{"predictions": ["` + strings.Repeat("x", 257) + `"]}`, "[{{0 0 } []}]"},
	} {
		t.Run(name, func(t *testing.T) {
			keys := OpenKeys(folder(t, map[string]string{"a": first}))
			signer := NewSigner(keys, "shop/elec", "r1", []string{"load", "region", "none"}, func() *profile.Profile { return c.profile })
			token := signer.Token(exchange.Exchange{Protocol: exchange.HTTP, Code: 200, Request: []byte(c.request), Response: []byte(c.response)})
			read, err := Verify(keys, token, "shop/elec", time.Now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(read.Rows); got != c.want || read.Revision != "r1" {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAnswersWithoutAToken(t *testing.T) {
	none := func() *profile.Profile { return nil }
	good := exchange.Exchange{Protocol: exchange.HTTP, Code: 200, Response: []byte(`{"predictions": [1]}`)}
	failed := good
	failed.Code = 500
	keys := OpenKeys(folder(t, map[string]string{"a": first}))
	if token := NewSigner(keys, "d", "r", nil, none).Token(failed); token != "" {
		t.Error("an answer that failed has a token")
	}
	if token := NewSigner(OpenKeys(t.TempDir()), "d", "r", nil, none).Token(good); token != "" {
		t.Error("signed without a key")
	}
	signer := NewSigner(keys, "d", "r", nil, none)
	if one, other := signer.Token(good), signer.Token(good); one == other {
		t.Error("two answers have the same token")
	}
}

func TestAFailureCostsTheTokenOnly(t *testing.T) {
	keys := OpenKeys(folder(t, map[string]string{"a": first}))
	signer := NewSigner(keys, "d", "r", nil, func() *profile.Profile { panic("broken") })
	if token := signer.Token(exchange.Exchange{Protocol: exchange.HTTP, Code: 200}); token != "" {
		t.Error(token)
	}
}

func TestAProfileThatComesLaterIsUsed(t *testing.T) {
	var current *profile.Profile
	keys := OpenKeys(folder(t, map[string]string{"a": first}))
	signer := NewSigner(keys, "d", "r", []string{"region"}, func() *profile.Profile { return current })
	e := exchange.Exchange{Protocol: exchange.HTTP, Code: 200, Request: []byte(`{"instances": [{"region": "north"}]}`), Response: []byte(`{"predictions": [1]}`)}
	for _, want := range []string{"[]", "[region=north]"} {
		read, err := Verify(keys, signer.Token(e), "d", time.Now(), time.Minute)
		if err != nil || fmt.Sprint(read.Rows[0].Slices) != want {
			t.Errorf("%v, %v, want %s", read.Rows, err, want)
		}
		var problem error
		current, problem = profile.Parse([]byte(fmt.Sprintf(reference, "categorical", `"categories": ["0", "1"], "counts": [1, 1]`)))
		if problem != nil {
			t.Fatal(problem)
		}
	}
}

func TestManyAnswersAtATime(t *testing.T) {
	now := atomic.Int64{}
	keys := openKeys(folder(t, map[string]string{"a": first}), func() time.Time { return noon.Add(time.Duration(now.Add(1)) * time.Second) })
	signer := NewSigner(keys, "d", "r", nil, func() *profile.Profile { return nil })
	ids := sync.Map{}
	var answers sync.WaitGroup
	for range 200 {
		answers.Go(func() {
			token := signer.Token(exchange.Exchange{Protocol: exchange.HTTP, Code: 200, Response: []byte(`{"predictions": [1]}`)})
			read, err := Verify(keys, token, "d", time.Now(), time.Minute)
			if _, taken := ids.LoadOrStore(read.ID, true); taken || err != nil {
				t.Error(taken, err)
			}
		})
	}
	answers.Wait()
}

func FuzzVerify(f *testing.F) {
	keys := OpenKeys(folder(f, map[string]string{"a": first}))
	f.Add(encode("a", payload()), true)
	f.Add([]byte{1, 1, 'a'}, true)
	f.Add(encode("a", payload()), false)
	f.Fuzz(func(t *testing.T, content []byte, signed bool) {
		if signed {
			content = append(content, tag([]byte(first), content)...)
		}
		read, err := Verify(keys, base64.RawURLEncoding.EncodeToString(content), "shop/elec", noon, day)
		if err == nil && !signed {
			t.Error("accepted without a signature")
		}
		if len(read.Rows) > MaxRows {
			t.Errorf("%d rows", len(read.Rows))
		}
	})
}

func BenchmarkToken(b *testing.B) {
	current, err := profile.Parse([]byte(fmt.Sprintf(reference, "categorical", `"categories": ["0", "1"], "counts": [1, 1]`)))
	if err != nil {
		b.Fatal(err)
	}
	signer := NewSigner(OpenKeys(folder(b, map[string]string{"a": first})), "shop/elec", "r1", []string{"region"},
		func() *profile.Profile { return current })
	e := exchange.Exchange{Protocol: exchange.HTTP, Code: 200, Request: []byte(`{"instances": [{"load": 1, "region": "north"}]}`), Response: []byte(`{"predictions": [1]}`)}
	b.ReportAllocs()
	for b.Loop() {
		signer.Token(e)
	}
}
