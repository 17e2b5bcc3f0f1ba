package wasm

import (
	"bytes"
	"strings"
)

// longestLine is how much of a line without an end is kept together.
const longestLine = 4 << 10

// lines turns what the core prints into lines of the log. The core logs through the wall: only a crash prints.
type lines struct {
	instance *instance
	write    func(message string, keyValuePairs ...any)
	rest     []byte
}

// Write logs every line that is complete.
func (l *lines) Write(text []byte) (int, error) {
	l.rest = append(l.rest, text...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		switch {
		case end >= 0:
			l.log(l.rest[:end])
			l.rest = l.rest[end+1:]
		case len(l.rest) >= longestLine:
			l.log(l.rest)
			l.rest = nil
		default:
			return len(text), nil
		}
	}
}

func (l *lines) log(line []byte) {
	if text := strings.TrimSpace(strings.ToValidUTF8(string(line), "?")); text != "" {
		l.instance.notice(l.write, "The core printed a line.", "line", text)
	}
}
