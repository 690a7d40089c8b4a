package api

import (
	"time"

	"github.com/hookrange/hookrange/scripts/result"
)

// States of a conformance run.
const (
	TestRunning = "running"
	// TestPaused is a manual run that waits to be resumed.
	TestPaused = "paused"
	TestEnded  = "ended"
	// TestCancelled was ended by a user, TestInterrupted by the end of its server.
	TestCancelled   = "cancelled"
	TestInterrupted = "interrupted"
)

// TestInput starts a conformance run. Either Profile or Script is given.
type TestInput struct {
	// Profile is the name of one that comes with the program.
	Profile string `json:"profile,omitempty"`
	// Script is the text of a script, File the name that it goes by.
	Script string `json:"script,omitempty"`
	File   string `json:"file,omitempty"`
	// Sender is builtin:NAME, manual or agent-server:URL.
	Sender string `json:"sender"`
	// Cases selects by a pattern over their ids; empty is all.
	Cases string `json:"cases,omitempty"`
	// Jobs bounds the cases at once; 0 is the default.
	Jobs int `json:"jobs,omitempty"`
	// Strict makes reports count warnings as failures.
	Strict bool `json:"strict,omitempty"`
	// Scale multiplies all times of a builtin sender; 0 is 1.
	Scale float64 `json:"scale,omitempty"`
	// Set gives variables of the script other values.
	Set map[string]string `json:"set,omitempty"`
}

// Test is a conformance run of the server.
type Test struct {
	ID    string `json:"id"`
	State string `json:"state"`
	// Revision grows with every change.
	Revision int64     `json:"revision"`
	Input    TestInput `json:"input"`
	// Profile is the script's name.
	Profile string     `json:"profile"`
	Sender  string     `json:"sender"`
	Verdict string     `json:"verdict"`
	Started time.Time  `json:"started"`
	Ended   *time.Time `json:"ended"`
	// Total counts the cases, Counts those that have ended by verdict.
	Total  int            `json:"total"`
	Counts map[string]int `json:"counts"`
	// Error is why the run could not go on, or "".
	Error string `json:"error"`
	// Manual is what a person has to do next; only while a manual run goes on.
	Manual *TestManual `json:"manual"`
	// Run has cases and evidence; lists leave it out.
	Run *result.Run `json:"run,omitempty"`
	// Captures says which endpoint of the server has the captures of a case's endpoint, while it is there.
	Captures []TestCaptures `json:"captures,omitempty"`
}

// TestManual is what a person has to do.
type TestManual struct {
	// Endpoint is the server's, URL its hook URL: the same for the whole run.
	Endpoint string `json:"endpoint"`
	URL      string `json:"url"`
	// Case is the one that the next delivery exercises; empty while none waits for one.
	Case  string `json:"case"`
	Title string `json:"title"`
	// Waiting is true while the delivery is to be made, false while the case's attempts are watched. Delivery says which
	// of the case's deliveries it is, from 1.
	Waiting  bool `json:"waiting"`
	Delivery int  `json:"delivery"`
	// Header is to be sent beside the sender's own.
	Header []Pair `json:"header"`
	// Ignored counts attempts that no case counts: of messages that an earlier case had, or without the secret.
	Ignored int `json:"ignored"`
	// Unmeasured says of each case that cannot be judged this way why.
	Unmeasured map[string]string `json:"unmeasured"`
}

// TestCaptures links a case's endpoint to the server's.
type TestCaptures struct {
	Case     string `json:"case"`
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
}

// Tests is a list of runs, newest first.
type Tests struct {
	Tests []Test `json:"tests"`
	// Revision is another after every change of a run.
	Revision int64 `json:"revision"`
	// Profiles and Senders are what a new run can name.
	Profiles []TestProfile `json:"profiles"`
	Senders  []string      `json:"senders"`
}

// TestProfile is a profile that comes with the program.
type TestProfile struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Cases int    `json:"cases"`
	// Vars are the variables that TestInput.Set can give other values, with those that they have.
	Vars map[string]string `json:"vars"`
}

// TestChange pauses a manual run or lets it go on.
type TestChange struct {
	Paused *bool `json:"paused"`
}
