package hooks

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace is how fast one user may ask something: so many at once, and so many a second after that. A person does not reach
// it.
type pace struct {
	burst int
	each  rate.Limit
}

// mostBuckets bounds for how many users and routes it is remembered how fast they ask.
const mostBuckets = 20_000

// buckets are the token buckets of users and routes.
type buckets struct {
	mu   sync.Mutex
	all  map[bucketKey]*rate.Limiter
	most int
	now  func() time.Time
}

type bucketKey struct{ user, route string }

func newBuckets() *buckets {
	return &buckets{all: map[bucketKey]*rate.Limiter{}, most: mostBuckets, now: time.Now}
}

// take takes a token. Where there is none, it says how long until there is one.
func (b *buckets) take(user, route string, pace pace) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, key := b.now(), bucketKey{user, route}
	bucket := b.all[key]
	if bucket == nil {
		if len(b.all) >= b.most {
			b.tidy(now)
		}
		bucket = rate.NewLimiter(pace.each, pace.burst)
		b.all[key] = bucket
	}
	taken := bucket.ReserveN(now, 1)
	wait := taken.DelayFrom(now)
	if wait > 0 {
		taken.CancelAt(now)
		return wait, false
	}
	return 0, true
}

// tidy makes room: full buckets say nothing. Where all others are in use, some are forgotten, which does no more than let
// their users begin anew.
func (b *buckets) tidy(now time.Time) {
	for key, bucket := range b.all {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(b.all, key)
		}
	}
	for key := range b.all {
		if len(b.all) < b.most {
			return
		}
		delete(b.all, key)
	}
}
