package endurance

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gravitational/teleport/api/types"
	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// newsProp is the prop of a reply that holds which news it tells.
const newsProp = "teleport_news"

// counts are what is found in the end.
type counts struct {
	// requests that Teleport has, and pending and decided ones among them.
	requests, pending, decided int
	// deleted are those that Teleport no longer has.
	deleted int
	// copies are posts that the plugin itself took away, because they stood there twice.
	copies int
	// unquiet are the records in the ledger that say that something is still to be done.
	unquiet int
	// lost have no post, doubled more than one, false ones a post that says something else than Teleport, twice have more
	// than one decision in the audit log, and mistold not exactly one reply with the decision.
	lost, doubled, false, twice, mistold []string
}

func (c counts) String() string {
	return fmt.Sprintf("pending %d, decided %d, deleted %d; lost %d, doubled %d, false %d, decided twice %d, mistold %d; copies taken away %d",
		c.pending, c.decided, c.deleted, len(c.lost), len(c.doubled), len(c.false), len(c.twice), len(c.mistold), c.copies)
}

// wrong says what is not as it should be, or not yet.
func (c counts) wrong() error {
	var all []string
	for name, found := range map[string][]string{"lost": c.lost, "doubled": c.doubled, "false": c.false, "decided twice": c.twice, "mistold": c.mistold} {
		if len(found) > 0 {
			all = append(all, fmt.Sprintf("%s: %s", name, strings.Join(found[:min(3, len(found))], "; ")))
		}
	}
	if c.unquiet > 0 {
		all = append(all, fmt.Sprintf("%d records are not done with", c.unquiet))
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%s\n%s", c, strings.Join(all, "\n"))
}

// statusWords are what a post says of a decided request.
var statusWords = map[types.RequestState]string{types.RequestState_APPROVED: "✅ Approved", types.RequestState_DENIED: "❌ Denied"}

// count compares Teleport's requests with the posts, one by one.
func (k *kills) count() (counts, error) {
	var c counts
	requests, err := k.tctl.List(k.ctx)
	if err != nil {
		return c, err
	}
	posts, err := k.set.Mattermost.Posts(k.ctx, k.channel.Id)
	if err != nil {
		return c, err
	}
	roots, told := map[string][]*model.Post{}, map[string]int{}
	for _, post := range posts {
		id, _ := post.GetProp(stage.RequestProp).(string)
		switch news, isReply := post.GetProp(newsProp).(string); {
		case id == "":
		case isReply && strings.HasPrefix(news, "outcome:"):
			told[id]++
		case !isReply:
			roots[id] = append(roots[id], post)
		}
	}
	there := map[string]bool{}
	c.requests = len(requests)
	for _, request := range requests {
		id := request.GetName()
		there[id] = true
		events, err := k.teleport.Audit(k.ctx, id)
		if err != nil {
			return c, err
		}
		updates := len(teleport.Updates(events))
		if updates > 1 {
			c.twice = append(c.twice, id)
		}
		decidable, words, replies := isOpen, "⏳ Pending", 0
		if request.GetState().IsPending() {
			c.pending++
		} else {
			c.decided++
			decidable, words, replies = isClosed, statusWords[request.GetState()], 1
		}
		c.judge(id, roots[id], decidable, words)
		if told[id] != replies {
			c.mistold = append(c.mistold, fmt.Sprintf("%s has %d replies with a decision, want %d", id, told[id], replies))
		}
	}
	// What Teleport has no longer was deleted on purpose.
	gone := map[string]bool{}
	for _, id := range k.filed {
		gone[id] = !there[id]
	}
	for id := range roots {
		gone[id] = !there[id]
	}
	for id, isGone := range gone {
		if !isGone {
			continue
		}
		c.deleted++
		if !k.deleted[id] {
			return c, fmt.Errorf("request %s is not in Teleport any more, and nobody deleted it", id)
		}
		c.judge(id, roots[id], isClosed, "Deleted")
	}
	return c, k.look(&c)
}

// judge compares a request's posts with the one that should stand there.
func (c *counts) judge(id string, posts []*model.Post, decidable bool, words string) {
	switch {
	case len(posts) == 0:
		c.lost = append(c.lost, id)
	case len(posts) > 1:
		c.doubled = append(c.doubled, id)
	case !offers(posts[0], decidable) || !strings.Contains(stage.Text(posts[0]), words):
		c.false = append(c.false, fmt.Sprintf("%s should say %q, decidable: %t:\n%s", id, words, decidable, stage.Text(posts[0])))
	}
}

// record is what is read of a record in the ledger.
type record struct {
	Revision  uint32 `json:"revision"`
	LookAgain bool   `json:"look_again"`
	Postings  []struct {
		Shown   uint32   `json:"shown"`
		Gone    bool     `json:"gone"`
		Telling []string `json:"telling"`
	} `json:"postings"`
}

// look reads in the database what REST does not show: the ledger, and posts that were taken away.
func (k *kills) look(c *counts) error {
	database, err := sql.Open("postgres", k.set.Mattermost.DSN())
	if err != nil {
		return err
	}
	defer database.Close()
	// Those with an original are what posts said before they were changed.
	if err := database.QueryRowContext(k.ctx, "SELECT count(*) FROM posts WHERE channelid = $1 AND deleteat > 0 AND originalid = ''", k.channel.Id).Scan(&c.copies); err != nil {
		return err
	}
	rows, err := database.QueryContext(k.ctx, "SELECT pvalue FROM pluginkeyvaluestore WHERE pluginid = $1 AND pkey LIKE $2", k.set.PluginID, "request:"+k.cluster.Name()+":%")
	if err != nil {
		return err
	}
	defer rows.Close()
	records := 0
	for rows.Next() {
		var value []byte
		if err := rows.Scan(&value); err != nil {
			return err
		}
		var found record
		if err := json.Unmarshal(value, &found); err != nil {
			return fmt.Errorf("cannot read the record %q: %w", value, err)
		}
		records++
		done := !found.LookAgain && len(found.Postings) > 0
		for _, posting := range found.Postings {
			done = done && !posting.Gone && posting.Shown == found.Revision && len(posting.Telling) == 0
		}
		if !done {
			c.unquiet++
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if records != c.requests+c.deleted {
		return fmt.Errorf("the ledger has %d records, want one for each of %d requests", records, c.requests+c.deleted)
	}
	return nil
}
