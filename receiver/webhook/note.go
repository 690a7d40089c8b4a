package webhook

// Note is what people keep beside a capture. It is no part of the evidence: the capture does not change with it.
type Note struct {
	// Seq of the newest fact about it; set by the store.
	Seq Seq
	// Pinned marks a capture as one to find again.
	Pinned bool
	// Text is free, at most MaxNote bytes.
	Text string
}

// MaxNote bounds the text of a note in bytes.
const MaxNote = 4096

// NoteChange changes a note; nil leaves a part as it is.
type NoteChange struct {
	Pinned *bool
	Text   *string
}
