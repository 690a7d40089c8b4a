package report_test

import (
	"fmt"
	"time"

	"github.com/hookrange/hookrange/receiver/webhook"
	"github.com/hookrange/hookrange/scripts/result"
)

// hostile is what a sender may put into anything that it chooses: terminal commands, markup of every format, text
// that turns around, bytes that are no text, and characters that XML has no form for.
const hostile = "\x1b[2J\x1b]0;x\a\u202egnp.exe \"><script>alert(1)</script>' ]]> </failure> & | `x` # SKIP " +
	"\r\nok 99 - forged\n::error::x \xff\x00\ufffe\u200b@someone https://evil.example/"

var began = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return began.Add(d) }

const (
	ms = time.Millisecond
	s  = time.Second
)

func attempt(n int, seq webhook.Seq, arrived time.Duration, status int) result.Attempt {
	a := result.Attempt{
		Seq: seq, N: n, At: at(arrived), Class: webhook.Accepted, Method: "POST", Target: "/hooks/t1-main?secret=•••", BodySize: 1336,
		BodySHA256: "7d793037a0760186574b0282f2f435e7", Plan: fmt.Sprint(status), Status: status, FirstByte: new(2 * ms), Done: new(3 * ms),
		Headers: []webhook.Field{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Team", Value: "a"}},
	}
	if n > 1 {
		a.Gap = new(time.Duration(1<<(n-2)) * s)
	}
	return a
}

func requirement(level result.Level) result.Requirement {
	return result.Requirement{
		Quote:  "5xx: retried up to 2 times with exponential backoff",
		Source: "https://docs.langchain.com/langsmith/webhooks#delivery", Date: "2026-11-20", Level: level,
	}
}

func ended(id, title string, verdict result.Verdict, checks ...result.Check) result.Case {
	return result.Case{
		ID: id, Title: title, Requirement: requirement(result.Must), File: "langsmith-rules.txtar", Line: 12, State: "ended",
		Started: at(0), Ended: at(3100 * ms), Expected: 9 * s, Verdict: verdict, Checks: checks,
	}
}

func check(text string, verdict result.Verdict) result.Check {
	return result.Check{Text: text, Line: 17, Verdict: verdict}
}

// sample has a run with a case of every end, and one whose texts are hostile.
func sample() []result.Run {
	retried := ended("RETRY-1-503", "a 5xx in under 5 s is retried up to 2 times with exponential backoff", result.Fail,
		check("expect main attempts >= 2", result.Pass),
		result.Check{
			Text: "expect main spacing exponential factor=2 tolerance=30%", Line: 18, Verdict: result.Fail, Expected: "growing gaps, factor 2 ±30%",
			Actual: "1.001 s, 1.000 s: ratio 1.00", Captures: []webhook.Seq{41, 44, 47},
		},
		result.Check{Text: "expect main header x-team a", Line: 19, Verdict: result.Warning, Reason: "attempt 3 has it twice"})
	third := attempt(3, 47, 3006*ms, 200)
	retried.Endpoints = []result.Endpoint{{
		Name: "main", Respond: "503x2 200", Watched: 6 * s,
		Deliveries: []result.Delivery{{ID: "d-1", By: "digest", Attempts: []result.Attempt{attempt(1, 41, 0, 503), attempt(2, 44, 1003*ms, 503), third}}},
	}}
	retried.Trigger = "attempt 1  503 Service Unavailable\nattempt 2  503 Service Unavailable\n"

	slow := ended("TIME-1", "a reply after more than 5 s is a failed delivery", result.Pass, check("expect main hangup attempt=1 after=5s", result.Pass))
	hung := attempt(1, 51, 20*ms, 0)
	hung.Plan, hung.Fault, hung.FirstByte, hung.Done, hung.HungUp, hung.HungUpBy = "hang", webhook.Hang, nil, nil, new(5003*ms), webhook.HangUpFIN
	slow.Ended = at(11 * s)
	slow.Endpoints = []result.Endpoint{{Name: "main", Respond: "hang", Watched: 6 * s, Deliveries: []result.Delivery{{ID: "d-2", By: "digest", Attempts: []result.Attempt{hung}}}}}

	refused := ended("CONNECT-1", "a connection that fails is retried up to 2 times", result.Inconclusive,
		result.Check{Text: "expect main connections <= 3", Verdict: result.Inconclusive, Reason: "no right to count refused connections here (CAP_NET_RAW)"})
	refused.Lag = 12 * ms
	refused.Endpoints = []result.Endpoint{{Name: "main", Respond: "refuse/for=20s", Connections: []result.Connection{
		{At: at(5 * ms), Peer: "127.0.0.1:50122", Fault: webhook.Refuse, Note: "refused"},
		{At: at(6 * ms), Peer: "127.0.0.1:50124", Fault: webhook.Refuse, Note: "refused"},
		{At: at(508 * ms), Peer: "127.0.0.1:50126", Fault: webhook.Refuse, Note: "refused"},
	}}}

	known := ended("FINAL-1-408", "a 408 is not retried", result.Fail, result.Check{Text: "expect main attempts == 1", Verdict: result.Fail, Expected: "1", Actual: "3"})
	known.Known = true
	odd := ended("BODY-1", hostile, result.Fail, result.Check{Text: hostile, Verdict: result.Fail, Expected: hostile, Actual: hostile, Reason: hostile, Captures: []webhook.Seq{9}})
	odd.Trigger, odd.File, odd.Requirement.Source, odd.Requirement.Quote = hostile, hostile, "javascript:alert(1)", hostile
	bad := attempt(1, 9, 0, 200)
	bad.Method, bad.Target, bad.Plan, bad.Headers = hostile, hostile, hostile, []webhook.Field{{Name: hostile, Value: hostile}}
	odd.Endpoints = []result.Endpoint{{
		Name: hostile, Respond: hostile, Deliveries: []result.Delivery{{ID: hostile, By: hostile, Attempts: []result.Attempt{bad}}},
		Connections: []result.Connection{{At: at(0), Peer: hostile, Note: hostile}},
	}}
	first := result.Run{
		ID: "r1", Profile: "langsmith-rules", Sender: "builtin:langsmith-rules/linear-gaps", Version: "0.3.0", Platform: "linux/amd64 with 2 cores",
		Started: at(0), Ended: at(12 * s), Verdict: result.Error, Reproduce: "hookrange test langsmith-rules --sender builtin:linear-gaps",
		Notes: []string{"Refused connections were not counted: no CAP_NET_RAW."},
		Cases: []result.Case{
			slow, retried, refused, known,
			ended("PAYLOAD-1", "the payload is as documented", result.Warning, result.Check{Text: "expect main schema langsmith-rule", Verdict: result.Warning, Reason: "an unknown field: foo"}),
			ended("REDIRECT-1", "what a 302 does is not stated", result.Info, result.Check{Text: "note redirects", Verdict: result.Info, Actual: "not followed"}),
			ended("CRON-1", "a cron's run sends a webhook", result.Skip, result.Check{Text: "needs cron", Verdict: result.Skip, Reason: "this server has none: 404"}),
			ended("BROKEN-1", "a script with a mistake", result.Error, result.Check{Text: "fetch runs.0.inputs", Verdict: result.Error, Reason: "no such path"}),
			{ID: "LATE-1", Title: "was not reached", State: "waiting"},
			odd,
		},
	}
	second := result.Run{
		ID: "r2", Profile: "langsmith-rules", Sender: "./send.sh --with 'httpx and tenacity'", Version: "0.3.0", Started: at(0), Ended: at(9 * s), Verdict: result.Pass,
		Cases: []result.Case{
			ended("TIME-1", "a reply after more than 5 s is a failed delivery", result.Pass, check("expect main hangup attempt=1 after=5s", result.Pass)),
			ended("RETRY-1-503", "a 5xx in under 5 s is retried up to 2 times with exponential backoff", result.Pass),
		},
	}
	return []result.Run{first, second}
}
