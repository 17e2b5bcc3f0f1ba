package wasm

import (
	"bytes"
	"strings"
)

// longestLine is the longest line that is logged, in bytes; what is longer becomes several.
const longestLine = 4 << 10

// lines turns what the core prints into lines of the log. The core logs through the wall: only a crash prints.
type lines struct {
	instance *instance
	write    func(message string, keyValuePairs ...any)
	rest     []byte
}

// Write logs every line that is complete.
func (l *lines) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		// No more than a line is kept, whatever is printed at once.
		n := min(len(rest), longestLine-len(l.rest))
		end := bytes.IndexByte(rest[:n], '\n')
		if end >= 0 {
			n = end + 1
		}
		l.rest = append(l.rest, rest[:n]...)
		rest = rest[n:]
		if end >= 0 || len(l.rest) == longestLine {
			l.log(l.rest)
			l.rest = l.rest[:0]
		}
	}
	return len(text), nil
}

func (l *lines) log(line []byte) {
	if text := strings.TrimSpace(strings.ToValidUTF8(string(line), "?")); text != "" {
		l.instance.notice(l.write, "The core printed a line.", "line", text)
	}
}
