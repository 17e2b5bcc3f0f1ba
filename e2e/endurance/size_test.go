package endurance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

const (
	// auditPages are pages of the audit trail that stand in the store: each may hold up to a hundred entries.
	auditPages = 1_000_000
	// finishedRecords are records of requests that were decided.
	finishedRecords = 100_000
)

// Nothing lists the store's keys: neither a start, nor a post, a click or a look into the audit trail has to wait for what
// has been gathering there.
func TestAFullStoreKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	s := newScene(t, newStage(t), newDouble(t, double.Options{}))
	s.connect(s.settings())
	server, plugin := s.set.Mattermost, s.set.PluginID
	decided := s.file(teleport.Wish{})
	s.must(approve(s, decided))
	s.settled(decided, "✅ Approved")
	// What earlier versions left is found once, in the background.
	for _, key := range []string{"open-complete:" + s.cluster.Name(), "trail-old-done"} {
		s.eventually(late, key, func() error {
			value, err := server.StoredValue(s.ctx, plugin, key)
			if err == nil && value == nil {
				err = errors.New("it is not there")
			}
			return err
		})
	}
	begin := time.Now()
	s.must(server.FillStore(s.ctx, `INSERT INTO pluginkeyvaluestore (pluginid, pkey, pvalue, expireat)
		SELECT $1, 'trail:00000000deadbeef:' || lpad(number::text, 8, '0'), 'x', 0 FROM generate_series(1, $2::int) number`,
		plugin, auditPages))
	key := "request:" + s.cluster.Name() + ":"
	s.must(server.FillStore(s.ctx, `INSERT INTO pluginkeyvaluestore (pluginid, pkey, pvalue, expireat)
		SELECT pluginid, $3 || 'finished-' || number, convert_to(replace(convert_from(pvalue, 'UTF8'), $4, 'finished-' || number), 'UTF8'), expireat
		FROM pluginkeyvaluestore, generate_series(1, $2::int) number WHERE pluginid = $1 AND pkey = $3 || $4`,
		plugin, finishedRecords, key, decided))
	took := func(what string) {
		s.Logf("%s: %s", what, time.Since(begin).Round(time.Millisecond))
		begin = time.Now()
	}
	took("filled the store")

	_, err := server.Admin.Client.DisablePlugin(s.ctx, plugin)
	s.must(err)
	gone, waiting := s.file(teleport.Wish{}), s.file(teleport.Wish{})
	begin = time.Now()
	_, err = server.Admin.Client.EnablePlugin(s.ctx, plugin)
	s.must(err)
	s.eventually(soon, "the plugin watches", s.watches)
	took("started and watched")
	s.pending(waiting)
	s.pending(gone)
	took("posted what was filed meanwhile")
	filed := s.file(teleport.Wish{})
	s.pending(filed)
	took("posted")
	s.must(approve(s, filed))
	s.settled(filed, "✅ Approved")
	took("decided")
	trail, err := s.set.Mattermost.Admin.Command(s.ctx, s.channel.Id, "/teleport audit")
	s.must(err)
	took("showed the audit trail")
	if !strings.Contains(trail, s.set.Approver.Username) {
		s.Errorf("the audit trail is:\n%s", trail)
	}
	s.must(s.tctl.Delete(s.ctx, gone))
	s.settled(gone, "withdrawn")
}

// approve has the approver click.
func approve(s *scene, id string) error {
	_, err := s.set.Approver.Decide(s.ctx, s.pending(id), "Approve", "")
	return err
}
