package redissink

// window remembers about where in the trail the last so many entries of the
// stream began, in little memory: one sequence for every step entries.
type window struct {
	step  int64
	marks []uint64 // the oldest first
	count int64    // entries since the last mark
}

const windowMarks = 1024

func newWindow(length int64) window { return window{step: max(length/windowMarks, 1)} }

// note takes that an entry was added, completed at sequence.
func (w *window) note(sequence uint64) {
	if w.count++; w.count < w.step {
		return
	}
	w.count = 0
	w.marks = append(w.marks, sequence)
	if len(w.marks) > 2*windowMarks {
		w.marks = append(w.marks[:0], w.marks[len(w.marks)-windowMarks-2:]...)
	}
}

// back is a sequence behind which there are at least n entries; 0 where that is
// not known.
func (w *window) back(n int64) uint64 {
	at := len(w.marks) - 1 - int((n+w.step-1)/w.step)
	if at < 0 {
		return 0
	}
	return w.marks[at]
}

func (w *window) clear() { w.marks, w.count = nil, 0 }
