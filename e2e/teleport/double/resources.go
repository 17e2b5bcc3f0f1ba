package double

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// resource is a role or a user in Teleport's YAML, as far as access requests are concerned.
type resource struct {
	Kind     string `yaml:"kind"`
	Version  string `yaml:"version"`
	Metadata struct {
		Name   string            `yaml:"name"`
		Labels map[string]string `yaml:"labels"`
	} `yaml:"metadata"`
	Spec struct {
		// A user's.
		Roles  []string            `yaml:"roles"`
		Traits map[string][]string `yaml:"traits"`
		// A role's.
		Options struct {
			MaxSessionTTL duration `yaml:"max_session_ttl"`
		} `yaml:"options"`
		Allow conditions `yaml:"allow"`
		Deny  conditions `yaml:"deny"`
	} `yaml:"spec"`
}

type conditions struct {
	Logins  []string          `yaml:"logins"`
	Rules   []rule            `yaml:"rules"`
	Request requestConditions `yaml:"request"`
	Review  reviewConditions  `yaml:"review_requests"`
}

type rule struct {
	Resources []string `yaml:"resources"`
	Verbs     []string `yaml:"verbs"`
	Where     string   `yaml:"where"`
}

type requestConditions struct {
	Roles              []string            `yaml:"roles"`
	SearchAsRoles      []string            `yaml:"search_as_roles"`
	Annotations        map[string][]string `yaml:"annotations"`
	Thresholds         []threshold         `yaml:"thresholds"`
	SuggestedReviewers []string            `yaml:"suggested_reviewers"`
	ClaimsToRoles      []any               `yaml:"claims_to_roles"`
}

type threshold struct {
	Name    string `yaml:"name"`
	Filter  string `yaml:"filter"`
	Approve uint32 `yaml:"approve"`
	Deny    uint32 `yaml:"deny"`
}

type reviewConditions struct {
	Roles          []string `yaml:"roles"`
	Where          string   `yaml:"where"`
	SubmitForUsers []string `yaml:"submit_for_users"`
	ClaimsToRoles  []any    `yaml:"claims_to_roles"`
}

// duration is written like 8h.
type duration time.Duration

func (d *duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	*d = duration(parsed)
	return err
}

// CreateResources makes or replaces roles and users.
func (d *Double) CreateResources(_ context.Context, text string) error {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var node yaml.Node
		if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("cannot read the resources: %w", err)
		}
		var one resource
		if err := node.Decode(&one); err != nil {
			return fmt.Errorf("cannot read the resources: %w", err)
		}
		if one.Metadata.Name == "" {
			return errors.New("a resource has no metadata.name")
		}
		if err := d.check(&one); err != nil {
			return fmt.Errorf("%s %q: %w", one.Kind, one.Metadata.Name, err)
		}
		var kept bytes.Buffer
		if err := yaml.NewEncoder(&kept).Encode(&node); err != nil {
			return err
		}
		if err := d.state.putResource(&one, kept.String()); err != nil {
			return err
		}
	}
}

// check refuses what this edition refuses, and what the double could only pretend to do.
func (d *Double) check(one *resource) error {
	switch one.Kind {
	case "user":
		return nil
	case "role":
	default:
		return fmt.Errorf("the double has roles and users only")
	}
	if one.Version == "v5" && !d.version.roleFive() {
		return errors.New(`role version "v5" is not supported`)
	}
	for _, side := range []conditions{one.Spec.Allow, one.Spec.Deny} {
		if !d.options.Enterprise {
			switch {
			case len(side.Request.Thresholds) > 0:
				return errors.New("role field allow.request.thresholds is only available in enterprise subscriptions")
			case len(side.Review.Roles) > 0 || len(side.Review.SubmitForUsers) > 0:
				return errors.New("role field allow.review_requests is only available in enterprise subscriptions")
			case len(side.Request.SearchAsRoles) > 0:
				return errors.New("role field allow.search_as_roles is only available in enterprise subscriptions")
			}
		}
		if len(side.Review.SubmitForUsers) > 0 && !d.version.onBehalf() {
			return errors.New("review_requests.submit_for_users is not known before Teleport 18.11")
		}
		filtered := func(t threshold) bool { return t.Filter != "" }
		conditional := func(r rule) bool { return r.Where != "" }
		if side.Review.Where != "" || slices.ContainsFunc(side.Request.Thresholds, filtered) || slices.ContainsFunc(side.Rules, conditional) ||
			len(side.Request.ClaimsToRoles) > 0 || len(side.Review.ClaimsToRoles) > 0 {
			return errors.New("the double evaluates no predicates and no claims: leave out where, filter and claims_to_roles")
		}
	}
	return nil
}

// matches tells whether a name is among patterns as Teleport's roles have them: literal, with *, or ^a regular expression$.
func matches(patterns []string, name string) bool {
	for _, pattern := range patterns {
		expression := pattern
		if !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") {
			expression = "^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, "(.*)") + "$"
		}
		if matched, err := regexp.MatchString(expression, name); err == nil && matched {
			return true
		}
	}
	return false
}
