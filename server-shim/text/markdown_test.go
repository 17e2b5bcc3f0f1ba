// Package text_test holds what the core writes of texts from outside to Mattermost's own Markdown rules.
package text_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/shared/markdown"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostileText is a text that tries to be more than text, and what the core makes of it.
type hostileText struct {
	Tries    string   `json:"tries"`
	Text     string   `json:"text"`
	Readable string   `json:"readable"`
	Words    string   `json:"words"`
	Quoted   string   `json:"quoted"`
	Code     string   `json:"code"`
	Mention  string   `json:"mention"`
	Posts    []string `json:"posts"`
}

// zeroWidthSpace is what the core puts after an "@" that is not its own.
const zeroWidthSpace = "\u200b"

// ownPage is where the core's own links lead in the file.
const ownPage = "https://tp.example/web/requests/0b1c"

// ownSign is one of the core's own signs for a verdict, which needs a variation selector.
const ownSign = "⤴\ufe0f"

var (
	plainLink = regexp.MustCompile(`^https?://[A-Za-z0-9.-]+(:[0-9]+)?([/?#][A-Za-z0-9_/.%=?&#+,-]*)?$`)
	ownStrong = regexp.MustCompile(
		`\*\*(Resources|Reason|Reviews|Access until|Access begins|✅ Approved|❌ Denied|` + ownSign + ` Promoted to an access list)\*\*`)
	ownLink   = regexp.MustCompile(`\[(open in Teleport|in Teleport's web UI)\]\(` + regexp.QuoteMeta(ownPage) + `\)`)
	quoteSign = regexp.MustCompile(`(?m)^> ?`)
	// In code a backslash is one.
	codeOrEscape = regexp.MustCompile("`[^`\n]*`|\\\\[!-/:-@\\[-`{-~]")

	// What the web app's Markdown reads as more than text, where the server's does not: it is a dialect of its own. (The
	// server's parser knows no headings, tables, LaTeX or emphasis.)
	webMarkdown = map[string]*regexp.Regexp{
		"heading":            regexp.MustCompile(`(?m)^ *#{1,6} `),
		"underlined heading": regexp.MustCompile(`(?m)^ *[=-]+ *$`),
		"rule":               regexp.MustCompile(`(?m)^ *([-*_] *){3,}$`),
		"list":               regexp.MustCompile(`(?m)^ *([*+-]|[0-9]+[.)])( |$)`),
		"quotation":          regexp.MustCompile(`(?m)^ *>`),
		"table":              regexp.MustCompile(`\|`),
		"code":               regexp.MustCompile("`|~~~"),
		"emphasis":           regexp.MustCompile(`[*_]`),
		"LaTeX":              regexp.MustCompile(`\$`),
		"struck out":         regexp.MustCompile(`~`),
		"HTML, or a link":    regexp.MustCompile(`<`),
		"bracket of a link":  regexp.MustCompile(`[\[\]]`),
		"link by its scheme": regexp.MustCompile(`[A-Za-z][A-Za-z0-9.+-]*:(/|[\pL0-9%])`),
		"link by www":        regexp.MustCompile(`www[0-9]{0,3}\.\S`),
		"link by a domain":   regexp.MustCompile(`[\pL0-9-]\.\pL{2,4}/`),
		"a line's end":       regexp.MustCompile("[\r\u2424\u2028\u2029\u0085]"),
	}
	// What the web app looks for in the text that its Markdown leaves, where escapes are gone.
	webText = map[string]*regexp.Regexp{
		"e-mail":              regexp.MustCompile(`\S@[\pL0-9.-]+\.\pL{2,}`),
		"mention":             regexp.MustCompile(`(?i)@[a-z0-9._-]`),
		"entity of a mention": regexp.MustCompile(`(?i)&(#0*64|#x0*40|commat);`),
		"channel":             regexp.MustCompile(`~[A-Za-z0-9_-]`),
		"hashtag":             regexp.MustCompile(`#\pL`),
		"emoji":               regexp.MustCompile(`:[A-Za-z0-9_+-]+:`),
		"placeholder":         regexp.MustCompile(`\$MM_`),
	}
	// What must not stand there at all: nobody sees it.
	unseen = regexp.MustCompile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\p{Zl}\\p{Zp}\\p{Co}\u00a0\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc\U000E0000-\U000E0FFF]")
)

func readHostile(t *testing.T) []hostileText {
	t.Helper()
	content, err := os.ReadFile("../../core/tests/fixtures/hostile.json")
	require.NoError(t, err)
	var texts []hostileText
	require.NoError(t, json.Unmarshal(content, &texts))
	require.GreaterOrEqual(t, len(texts), 60)
	return texts
}

func TestNoTextFromOutsideIsMoreThanText(t *testing.T) {
	for _, hostile := range readHostile(t) {
		t.Run(hostile.Tries, func(t *testing.T) {
			require.Greater(t, len(hostile.Posts), 10)
			for _, text := range append(hostile.Posts, hostile.Words, hostile.Quoted, hostile.Code, hostile.Mention) {
				holdsOnlyText(t, text)
			}
		})
	}
}

// Whatever is done to a text, a reader sees what its author wrote, as far as it can be seen at all.
func TestTextsFromOutsideStayReadable(t *testing.T) {
	for _, hostile := range readHostile(t) {
		assert.Equal(t, hostile.Readable, visible(hostile.Words), hostile.Tries)
		quoted := strings.Join(strings.Fields(visible(hostile.Quoted)), " ")
		assert.Equal(t, hostile.Readable, quoted, hostile.Tries)
	}
}

// holdsOnlyText fails where Mattermost finds anything in a text but text, code and quotations, apart from the core's links.
func holdsOnlyText(t assert.TestingT, text string) {
	quotations := 0
	markdown.Inspect(text, func(node any) bool {
		switch node := node.(type) {
		case nil, *markdown.Document, *markdown.Paragraph, *markdown.Text, *markdown.CodeSpan, *markdown.SoftLineBreak:
		case *markdown.BlockQuote:
			quotations++
			for _, child := range node.Children {
				assert.IsType(t, &markdown.Paragraph{}, child, text)
			}
		case *markdown.Autolink:
			assert.Regexp(t, plainLink, node.Destination(), text)
			assert.Contains(t, text, node.Destination())
		case *markdown.InlineLink:
			assert.Equal(t, ownPage, node.Destination(), text)
		default:
			assert.Failf(t, "more than text", "%T in %q", node, text)
		}
		return true
	})
	assert.LessOrEqual(t, quotations, 1, text)
	assert.Empty(t, mentions(text), text)
	assert.Empty(t, model.ChannelMentions(text), text)
	hashtags, _ := model.ParseHashtags(text)
	assert.Empty(t, hashtags, text)
	assert.NotRegexp(t, unseen, strings.ReplaceAll(text, ownSign, ""))

	syntax, left := restOf(text)
	for name, pattern := range webMarkdown {
		assert.NotRegexp(t, pattern, syntax, "%s in %q", name, text)
	}
	for name, pattern := range webText {
		assert.NotRegexp(t, pattern, left, "%s in %q", name, text)
	}
}

// restOf is a text without code, links that may stay and the core's own Markdown: as Markdown, where something without a
// meaning stands for each escaped character, and as the text that is left when escapes are resolved.
func restOf(text string) (syntax, left string) {
	text = ownLink.ReplaceAllString(quoteSign.ReplaceAllString(text, ""), "x")
	text = ownStrong.ReplaceAllString(text, "$1")
	words := strings.Split(strings.ReplaceAll(text, "\n", " \n "), " ")
	for place, word := range words {
		if plainLink.MatchString(strings.TrimRight(word, ".,")) {
			words[place] = "x"
		}
	}
	text = strings.ReplaceAll(strings.Join(words, " "), " \n ", "\n")
	without := func(escaped func(string) string) string {
		return codeOrEscape.ReplaceAllStringFunc(text, func(found string) string {
			if found[0] == '`' {
				return "x"
			}
			return escaped(found)
		})
	}
	return without(func(string) string { return "x" }), without(func(escaped string) string { return escaped[1:] })
}

// visible is the text that Mattermost shows.
func visible(text string) string {
	var seen strings.Builder
	markdown.Inspect(text, func(node any) bool {
		switch node := node.(type) {
		case *markdown.Text:
			seen.WriteString(node.Text)
		case *markdown.Autolink:
			seen.WriteString(node.Destination())
		case *markdown.SoftLineBreak, *markdown.Paragraph:
			seen.WriteString("\n")
		}
		return true
	})
	return strings.TrimSpace(strings.ReplaceAll(seen.String(), zeroWidthSpace, ""))
}

// mentions are the words of a text that Mattermost's server takes for mentions: it looks at text outside of code and links,
// and parts it at whatever no name has.
func mentions(text string) []string {
	var found []string
	look := func(text string) {
		for _, word := range strings.FieldsFunc(text, func(letter rune) bool {
			return !strings.ContainsRune(":.-_@", letter) && !unicode.IsLetter(letter) && !unicode.IsNumber(letter)
		}) {
			if _, name, ok := strings.Cut(word, "@"); ok && strings.Trim(name, ":.-_@") != "" {
				found = append(found, word)
			}
		}
	}
	buffer := ""
	markdown.Inspect(text, func(node any) bool {
		if text, ok := node.(*markdown.Text); ok {
			buffer += text.Text
			return false
		}
		look(buffer)
		buffer = ""
		return true
	})
	look(buffer)
	return found
}

// probe counts failed checks.
type probe int

func (p *probe) Errorf(string, ...any) { *p++ }

// The checks above find what they are to find.
func TestTheChecksOfTextsFindWhatTheyLookFor(t *testing.T) {
	caught := func(text string) bool {
		var failures probe
		holdsOnlyText(&failures, text)
		return failures > 0
	}
	found := 0
	for _, hostile := range readHostile(t) {
		if caught(hostile.Text) {
			found++
		}
	}
	// Some of the texts are harmless as they are, and say so.
	assert.Greater(t, found, 55)
	for _, text := range []string{
		"@all", "#tag", "~town", "[x](http://y)", "![x](y)", "www.x.y", ":smile:", "$x$", "x\n===", "a|b", "- x", "1. x", "# x",
		"<http://x>", "&#64;all", "x\u2424# y", "**x** *y*", "a@b.example", "evil.com/x", "mailto:x", "> > x", "    x",
	} {
		assert.True(t, caught(text), text)
	}
	assert.False(t, caught("**✅ Approved** by `x`, [open in Teleport]("+ownPage+")\n\n> see https://x.example/T_1."))
}
