package plan_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookrange/hookrange/receiver/plan"
	"github.com/hookrange/hookrange/receiver/webhook"
)

func parse(tb testing.TB, text string) *plan.Program {
	tb.Helper()
	p, err := plan.Parse(text)
	if err != nil {
		tb.Fatalf("Parse(%q): %v", text, err)
	}
	return p
}

func TestSequence(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty means 200":          {"", []string{"200", "200"}},
		"blank means 200":          {" \n\t", []string{"200"}},
		"the last repeats":         {"503x2 200", []string{"503", "503", "200", "200", "200"}},
		"one repeats":              {"500", []string{"500", "500"}},
		"last with times":          {"500 404x2", []string{"500", "404", "404", "404"}},
		"faults":                   {"hang drip/rate=10 200", []string{"hang", "drip/rate=10", "200"}},
		"lines":                    {"500\n  501\r\n\t502", []string{"500", "501", "502", "502"}},
		"a rule takes no place":    {`429/when=false 503x2 200`, []string{"503", "503", "200", "200"}},
		"a rule in the middle":     {`500 429/when=attempt==2 502`, []string{"500", "429/when=attempt==2", "502"}},
		"a rule at two places":     {`503x2/p=1 200`, []string{"503/p=1", "503/p=1", "200", "200"}},
		"a rule at one place":      {`503x1/when=true 200`, []string{"503/when=true", "200", "200"}},
		"a rule at later places":   {`200 503x2/p=1 201`, []string{"200", "503/p=1", "503/p=1", "201"}},
		"a rule that misses":       {`503x2/p=0 200`, []string{"200", "200", "200"}},
		"rules without a sequence": {`429/when=attempt==2`, []string{"200", "429/when=attempt==2", "200"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, test.text)
			var got []string
			for i := range test.want {
				got = append(got, p.For(plan.Arrival{Step: i, Attempt: i + 1}).Text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("plans of %q (-want +got):\n%s", test.text, diff)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want webhook.Plan
	}{
		"status": {"204", webhook.Plan{Text: "204", Status: 204}},
		"times":  {"503x7", webhook.Plan{Text: "503", Status: 503}},
		"after":  {"200/after=1.5s", webhook.Plan{Text: "200/after=1.5s", Status: 200, After: 1500 * time.Millisecond}},
		"fault without a head": {"hang/for=60s", webhook.Plan{
			Text: "hang/for=1m", Fault: webhook.Hang, For: time.Minute,
		}},
		"fault with a head": {"truncate/body=abc", webhook.Plan{
			Text: "truncate/body=abc", Fault: webhook.Truncate, Status: 200, Body: []byte("abc"),
		}},
		"rate": {"drip/rate=2KiB/s/for=3s", webhook.Plan{
			Text: "drip/for=3s/rate=2048", Fault: webhook.Drip, Status: 200, Rate: 2048, For: 3 * time.Second,
		}},
		"redirect": {"302/to=https://x.test/a?b=c/d=e", webhook.Plan{
			Text: "302/to=https://x.test/a?b=c/d=e", Status: 302,
			Header: []webhook.Field{{Name: "Location", Value: "https://x.test/a?b=c/d=e"}},
		}},
		"value ends at a known key": {"302/to=https://x.test/after/after=1s", webhook.Plan{
			Text: "302/after=1s/to=https://x.test/after", Status: 302, After: time.Second,
			Header: []webhook.Field{{Name: "Location", Value: "https://x.test/after"}},
		}},
		"json": {`200/json={"a b": [1, "/after=2s }"]}/after=1s`, webhook.Plan{
			Text: `200/after=1s/json={"a b":[1,"/after=2s }"]}`, Status: 200, After: time.Second,
			Body:   []byte(`{"a b":[1,"/after=2s }"]}`),
			Header: []webhook.Field{{Name: "Content-Type", Value: "application/json"}},
		}},
		"json with a type of its own": {`200/json=1/header.content-type=x/y`, webhook.Plan{
			Text: `200/header.content-type=x/y/json=1`, Status: 200, Body: []byte("1"),
			Header: []webhook.Field{{Name: "content-type", Value: "x/y"}},
		}},
		"headers": {`503/retry-after=1m/header.X-B=1/header.x-a="2 3"/header.X-B=4`, webhook.Plan{
			Text: `503/retry-after=60/header.X-B=1/header.x-a="2 3"/header.X-B=4`, Status: 503,
			Header: []webhook.Field{{Name: "Retry-After", Value: "60"}, {Name: "X-B", Value: "1"}, {Name: "x-a", Value: "2 3"}, {Name: "X-B", Value: "4"}},
		}},
		"retry-after rounds up": {`503/retry-after=1500ms`, webhook.Plan{
			Text: `503/retry-after=2`, Status: 503, Header: []webhook.Field{{Name: "Retry-After", Value: "2"}},
		}},
		"escapes": {`garbage/body='a\x00\xff\n\'"'`, webhook.Plan{
			Text: `garbage/body="a\x00\xff\n'\""`, Fault: webhook.Garbage, Body: []byte("a\x00\xff\n'\""),
		}},
		"size": {"200/size=10MB", webhook.Plan{Text: "200/size=10000000", Status: 200, Size: 10_000_000}},
		"size of a drip": {"drip/size=64KiB/rate=1k/s/after=1s", webhook.Plan{
			Text: "drip/after=1s/rate=1000/size=65536", Fault: webhook.Drip, Status: 200, Size: 65536, Rate: 1000, After: time.Second,
		}},
		"empty body": {`200/body=""`, webhook.Plan{Text: `200/body=""`, Status: 200, Body: []byte{}}},
		"cut text": {`200/body=` + strings.Repeat("ä", 3000), webhook.Plan{
			Text: `200/body=` + strings.Repeat("ä", 507) + "…", Status: 200,
			Body: []byte(strings.Repeat("ä", 3000)),
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.Seed = 7
			if diff := cmp.Diff(test.want, parse(t, test.text).For(plan.Arrival{Seed: 7})); diff != "" {
				t.Errorf("For (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhen(t *testing.T) {
	t.Parallel()
	head := "POST /hooks/a?x=1&x=2&bad=%zz HTTP/1.1\r\nHost: h\r\nX-Test: limit\r\nx-test: other\r\nX-Test : odd\r\n\r\n"
	req := func(body string) *webhook.Request {
		return &webhook.Request{
			Method: "POST", Target: "/hooks/a?x=1&x=2&bad=%zz", Head: []byte(head), Body: []byte(body),
		}
	}
	deep := strings.Repeat("[", 1001) + strings.Repeat("]", 1001)
	var list []int
	for i := range 1000 {
		list = append(list, i)
	}
	text, err := json.Marshal(map[string][]int{"a": list, "b": list, "c": list})
	if err != nil {
		t.Fatal(err)
	}
	numbers := string(text)
	tests := map[string]struct {
		when string
		body string
		want bool
	}{
		"header":               {`header["x-test"]=="limit"`, "", true},
		"header in any case":   {`header["X-Test"]=="limit"`, "", true},
		"header by name":       {`header.host == "h"`, "", true},
		"absent header":        {`header["nope"]==""`, "", true},
		"method":               {`method=="POST"`, "", true},
		"path":                 {`path startsWith "/sub"`, "", true},
		"query":                {`query.x=="1"`, "", true},
		"attempt":              {`attempt>2`, "", true},
		"attempt is not":       {`attempt>3`, "", false},
		"number in the body":   {`body.a.n==3`, `{"a":{"n":3}}`, true},
		"list in the body":     {`any(body.runs, .error!=nil)`, `{"runs":[{},{"error":"x"}]}`, true},
		"length":               {`len(body.runs)>1`, `{"runs":[1,2]}`, true},
		"text body":            {`body contains "=b"`, `a=b`, true},
		"failing comparison":   {`body.missing<3`, `{}`, false},
		"field of a text":      {`body.kind=="x"`, `text`, false},
		"not a boolean":        {`body.a`, `{"a":"yes"}`, false},
		"boolean in the body":  {`body.a`, `{"a":true}`, true},
		"nests too deep":       {`type(body)=="string"`, deep, true},
		"nests almost as deep": {`type(body)=="array"`, deep[1 : len(deep)-1], true},
		"brackets in strings":  {`type(body)=="map"`, `{"a":"` + strings.Repeat("[", 2000) + `\"["}`, true},
		"each with each other": {`any(body.a, any(body.b, # == 999))`, numbers, true},
		"without an end":       {`!any(body.a, any(body.b, any(body.c, # < 0)))`, numbers, false},
		"environment":          {`$env["method"]=="POST"`, "", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, "418/when='"+test.when+"' 200")
			got := p.For(plan.Arrival{Attempt: 3, Request: req(test.body), Path: "/sub/x"})
			if (got.Status == 418) != test.want {
				t.Errorf("when=%s gave %d; want it to hold: %v", test.when, got.Status, test.want)
			}
		})
	}
	if got := parse(t, `418/when=header.a!=""||body!=nil`).For(plan.Arrival{}); got.Status != 200 || got.Step != -1 {
		t.Errorf("without a request got %+v; want the plain 200 that no step gave", got)
	}
}

func TestPlacesOutOfBounds(t *testing.T) {
	t.Parallel()
	p := parse(t, "503x2 200x3 201")
	for place, want := range map[int]int{-3: 0, 0: 0, 1: 0, 2: 1, 4: 1, 5: 2, math.MaxInt - 1: 2} {
		if got := p.For(plan.Arrival{Step: place}).Step; got != want {
			t.Errorf("place %d gave step %d, want %d", place, got, want)
		}
	}
}

func TestFirstRuleWins(t *testing.T) {
	t.Parallel()
	p := parse(t, `200 429/when=attempt>1 500/when=attempt>0`)
	if got := p.For(plan.Arrival{Attempt: 2}); got.Status != 429 || got.Step != 1 {
		t.Errorf("got %d of step %d; want 429 of step 1", got.Status, got.Step)
	}
	if got := p.For(plan.Arrival{Attempt: 1}); got.Status != 500 || got.Step != 2 {
		t.Errorf("got %d of step %d; want 500 of step 2", got.Status, got.Step)
	}
}

func TestChance(t *testing.T) {
	t.Parallel()
	p := parse(t, "503/p=0.3 500/p=50% 200")
	const rounds = 20000
	seen := map[int]int{}
	for seed := range uint64(rounds) {
		first := p.For(plan.Arrival{Seed: seed})
		if diff := cmp.Diff(first, p.For(plan.Arrival{Seed: seed})); diff != "" {
			t.Fatalf("seed %d gave two plans:\n%s", seed, diff)
		}
		if first.Seed != seed {
			t.Fatalf("plan has seed %d, want %d", first.Seed, seed)
		}
		seen[first.Status]++
	}
	for status, want := range map[int]float64{503: 0.3, 500: 0.35, 200: 0.35} {
		if got := float64(seen[status]) / rounds; math.Abs(got-want) > 0.02 {
			t.Errorf("status %d in %.3f of the plans, want %.2f", status, got, want)
		}
	}
	never, always := parse(t, "503/p=0 200"), parse(t, "503/p=1 200")
	for seed := range uint64(1000) {
		if never.For(plan.Arrival{Seed: seed}).Status != 200 || always.For(plan.Arrival{Seed: seed}).Status != 503 {
			t.Fatalf("seed %d: p=0 applied, or p=1 did not", seed)
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text     string
		want     []bool
		listener bool
	}{
		"plain":             {"503x2 200", []bool{false, false, false}, false},
		"before a refusal":  {"200 503x2 refuse 200", []bool{false, false, true, false, false}, true},
		"repeated":          {"200 reset@acceptx2 200", []bool{true, true, false, false}, true},
		"last for ever":     {"200 tls-alert", []bool{true, true, true}, true},
		"a fault in a rule": {"tls-alert/p=0.1 200", []bool{true, true}, true},
		"below HTTP/1.1":    {"200 h2-goaway", []bool{false, false}, true},
		"on the connection": {"200 close@request reset@body", []bool{false, false, false}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, test.text)
			var got []bool
			for i := range test.want {
				got = append(got, p.For(plan.Arrival{Step: i}).Close)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Close of %q (-want +got):\n%s", test.text, diff)
			}
			if p.NeedsListener() != test.listener {
				t.Errorf("NeedsListener() = %v, want %v", p.NeedsListener(), test.listener)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string
	}{
		"unknown answer":      {"200 hagn", []string{"step 2", `"hagn"`, `did you mean "hang"?`, "drip", "200 to 599"}},
		"status out of range": {"600", []string{"step 1", `"600"`, "200 to 599"}},
		"1xx":                 {"103", []string{"1xx"}},
		"no status":           {"2000", []string{"no such answer"}},
		"sign":                {"+20", []string{"no such answer"}},
		"no times":            {"503x", []string{"no such answer"}},
		"zero times":          {"503x0", []string{"x1 to x1000"}},
		"too many times":      {"503x1001", []string{"x1 to x1000"}},
		"huge times":          {"503x99999999999999999999", []string{"x1 to x1000"}},
		"unknown key":         {"200/afetr=2s", []string{`"afetr"`, `did you mean "after"?`, "retry-after"}},
		"unknown later key":   {"200/after=2s/fro=2s", []string{`"fro"`, `did you mean "for"?`}},
		"no key":              {"200/", []string{"key=value"}},
		"no value sign":       {"200/after 200", []string{`"/after"`, "key=value"}},
		"no answer":           {"/after=2s", []string{"no such answer"}},
		"duration":            {"200/after=2", []string{`"after=2"`, "250ms"}},
		"negative duration":   {"200/after=-2s", []string{"0 to 10m"}},
		"long duration":       {"200/after=11m", []string{"0 to 10m"}},
		"zero for":            {"hang/for=0s", []string{"more than 0"}},
		"for on a status":     {"503/for=10s", []string{"does not last", "after"}},
		"rate on a status":    {"503/rate=10", []string{"drip"}},
		"rate":                {"drip/rate=fast", []string{"2KiB"}},
		"size":                {"200/size=much", []string{"10MB"}},
		"size too large":      {"200/size=2GiB", []string{"1GiB"}},
		"size and body":       {"200/size=9/body=x", []string{"one of body, json and size"}},
		"size and no body":    {"200/size=9/json=1", []string{"one of body, json and size"}},
		"size of a 204":       {"204/size=9", []string{"has no body"}},
		"size of a hang":      {"hang/size=9", []string{"no body"}},
		"size of garbage":     {"garbage/size=9", []string{"no body that has a size"}},
		"rate of zero":        {"drip/rate=0", []string{"2KiB"}},
		"rate too high":       {"drip/rate=2GiB", []string{"1GiB"}},
		"body of a hang":      {"hang/body=x", []string{"no body"}},
		"body of a 204":       {"204/body=x", []string{"a 204 has no body"}},
		"header of garbage":   {"garbage/header.a=x", []string{"no header"}},
		"to of a fault":       {"drip/to=x", []string{"statuses"}},
		"twice":               {"200/after=1s/after=2s", []string{"twice"}},
		"two bodies":          {"200/body=x/json=1", []string{"not both"}},
		"json":                {"200/json={a}", []string{"not valid JSON"}},
		"open json":           {`200/json={"a":1 200`, []string{"not valid JSON"}},
		"open quote":          {`200/body="a 200`, []string{"not closed"}},
		"escape":              {`200/body="\d"`, []string{`\xHH`}},
		"text after quote":    {`200/body="a"b`, []string{"closing quote"}},
		"line break":          {`200/header.a="b\r\nc: d"`, []string{"line break"}},
		"line break in to":    {`302/to="b\nc"`, []string{"control"}},
		"header name":         {`200/header.a:b=c`, []string{"header name"}},
		"empty header name":   {`200/header.=c`, []string{"header name"}},
		"hop by hop":          {`200/header.content-Length=1`, []string{"belongs to the connection"}},
		"two locations":       {`302/to=a/header.location=b`, []string{"once"}},
		"two retries":         {`503/retry-after=1/header.Retry-After=b`, []string{"not both"}},
		"retry-after":         {`503/retry-after=soon`, []string{"seconds"}},
		"chance":              {`503/p=1.1`, []string{"0 to 1"}},
		"chance is no number": {`503/p=NaN`, []string{"0 to 1"}},
		"times with a chance": {`close@acceptx2/p=0.5 200`, []string{"close@acceptx2", "has no xN"}},
		"a late refusal":      {"refuse/after=1s", []string{"nothing to wait for"}},
		"flaw":                {"tls-badcert/cert=old", []string{"wrong-name"}},
		"flaw elsewhere":      {"tls-alert/cert=expired", []string{"tls-badcert"}},
		"chance of a refusal": {"refuse/p=0.5 200", []string{"before anybody connects"}},
		"when before HTTP":    {`refuse/when=true`, []string{"before there is a request"}},
		"syntax":              {`503/when=attempt==`, []string{"step 1", "attempt=="}},
		"not a boolean":       {`503/when=attempt`, []string{"expected bool"}},
		"unknown name":        {`503/when=headers.a=="b"`, []string{"unknown name headers", "query"}},
		"blank in when":       {`503/when=attempt > 2`, []string{"step 1", "expected bool", "stands in quotes"}},
		"clock":               {`503/when=now().Year()>1`, []string{"unknown name now"}},
		"range":               {`503/when=all(1..1000000,true)`, []string{"range operator"}},
		"empty when":          {`503/when=`, []string{"empty"}},
		"too many steps":      {strings.Repeat("200 ", 101), []string{"100 steps"}},
		"too long":            {"200/body=" + strings.Repeat("a", 1<<16), []string{"65536"}},
		"too long when told":  {`200/body=` + strings.Repeat("\x01", 40000), []string{"canonical"}},
		"not UTF-8":           {"200/body=\xff", []string{"UTF-8"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := plan.Parse(test.text)
			if !errors.Is(err, webhook.ErrInvalid) {
				t.Fatalf("Parse(%.60q) = %v, want ErrInvalid", test.text, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if len(err.Error()) > 600 {
				t.Errorf("error is %d bytes long", len(err.Error()))
			}
		})
	}
}

func TestForDoesNotAllocate(t *testing.T) {
	p := parse(t, "503x2/after=2s 429/p=0.2 200/header.a=b")
	step := 0
	got := testing.AllocsPerRun(1000, func() {
		step++
		p.For(plan.Arrival{Step: step % 5, Attempt: 1, Seed: uint64(step)})
	})
	if got != 0 {
		t.Errorf("For allocates %v times, want 0", got)
	}
}

func BenchmarkFor(b *testing.B) {
	for _, text := range []string{
		"200", "503x2 200", "503/p=0.3 200", `429/when=header["x-test"]=="limit" 200`, `429/when=body.a=="limit" 200`,
	} {
		b.Run(text, func(b *testing.B) {
			p := parse(b, text)
			in := plan.Arrival{Step: 1, Attempt: 2, Request: &webhook.Request{
				Method: "POST", Target: "/hooks/a", Head: []byte("POST / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"),
				Body: []byte(`{"a":"b","c":` + strings.Repeat(" ", 2000) + `1}`),
			}}
			b.ReportAllocs()
			for b.Loop() {
				in.Seed++
				p.For(in)
			}
		})
	}
}

func TestConnectionLevel(t *testing.T) {
	t.Parallel()
	p, err := plan.Parse("503x2 reset@acceptx3 refuse/for=2s 200 tls-badcert/cert=expired close@accept/p=1")
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Fault         webhook.Fault
		Left, Request int
	}
	want := []row{
		{"", 0, 0},
		{"", 0, 1},
		{webhook.ResetAccept, 3, 6},
		{webhook.ResetAccept, 2, 6},
		{webhook.ResetAccept, 1, 6},
		{webhook.Refuse, 1, 6},
		{"", 0, 6},
		{webhook.TLSBadCert, 0, 7},
		{webhook.TLSBadCert, 0, 8},
	}
	var got []row
	for place := range want {
		out, left := p.Connection(place)
		got = append(got, row{out.Fault, left, p.Request(place)})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if out, _ := p.Connection(7); out.Cert != webhook.FlawExpired {
		t.Errorf("flaw %q", out.Cert)
	}
	if out := p.Chance(7); out.Fault != webhook.CloseAccept || out.Seed != 7 {
		t.Errorf("%+v", out)
	}
	// A rule before HTTP is none for a request.
	if out := p.For(plan.Arrival{Step: 0}); out.Status != 503 || !out.Close {
		t.Errorf("%+v", out)
	}
	if tls, h2 := p.Protocols(); !tls || h2 || !p.Connects() || p.Waits() != "" || !p.Has(webhook.Refuse) || p.Has(webhook.Blackhole) {
		t.Error("what the program is made of")
	}
	for text, want := range map[string]string{"refuse": "", "refusex2 200": "refusex2", "200 blackhole 503": "blackhole", "refuse/for=1s 200": ""} {
		if p, err = plan.Parse(text); err != nil || p.Waits() != want {
			t.Errorf("%s: %v, waits for %q", text, err, p.Waits())
		}
	}
}
