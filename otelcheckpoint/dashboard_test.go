package otelcheckpoint_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/go-ckpt/checkpoint"
)

var (
	expression = regexp.MustCompile(`(?m)^ +expr: (.*)$`)
	metricName = regexp.MustCompile(`\b(?:db|checkpoint)_[a-z_]+_(?:count|sum|bucket|total)\b`)
	labelNames = regexp.MustCompile(`([a-z_]+) *(?:=~|!=|!~|=)"|by \(([^)]*)\)|label_values\([^,]*, ([a-z_]+)\)`)
)

// emitted returns the names of the series and of the labels that Prometheus has of the
// metrics that the observer emits.
func emitted(t *testing.T) (series, labels []string) {
	t.Helper()
	tel := newTelemetry()
	store, err := checkpoint.Open("memory", "", checkpoint.WithObserver(tel.observer()))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	store.Save(t.Context(), "t", 1)
	store.Save(t.Context(), "t", 1, checkpoint.IfAbsent())
	label := func(set attribute.Set) {
		for _, kv := range set.ToSlice() {
			labels = append(labels, strings.ReplaceAll(string(kv.Key), ".", "_"))
		}
	}
	for name, m := range tel.metrics(t) {
		name = strings.ReplaceAll(name, ".", "_") + map[string]string{"s": "_seconds", "By": "_bytes"}[m.Unit]
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			series = append(series, name+"_count", name+"_sum", name+"_bucket")
			for _, p := range data.DataPoints {
				label(p.Attributes)
			}
		case metricdata.Histogram[int64]:
			series = append(series, name+"_count", name+"_sum", name+"_bucket")
		case metricdata.Sum[int64]:
			series = append(series, name+"_total")
			for _, p := range data.DataPoints {
				label(p.Attributes)
			}
		}
	}
	return series, append(labels, "le")
}

// TestDashboard: the dashboard and the alert rules ask for series and labels that the
// observer emits, and for each series that it has a picture of.
func TestDashboard(t *testing.T) {
	t.Parallel()
	series, labels := emitted(t)
	dashboard, err := os.ReadFile("../docs/observing/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Definition string } }
	}
	if err := json.Unmarshal(dashboard, &board); err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../docs/observing/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]string{} // expressions by where they stand
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			asked[p.Title+": "+target.Expr] = target.Expr
		}
	}
	for _, v := range board.Templating.List {
		asked["a variable: "+v.Definition] = v.Definition
	}
	alerts := expression.FindAllStringSubmatch(string(rules), -1)
	for _, m := range alerts {
		asked["an alert: "+m[1]] = m[1]
	}
	if len(board.Panels) < 8 || len(alerts) != strings.Count(string(rules), "- alert:") || len(alerts) < 5 {
		t.Errorf("%d panels and %d expressions of alerts, fewer than there are", len(board.Panels), len(alerts))
	}
	used := map[string]bool{}
	for where, expr := range asked {
		for _, name := range metricName.FindAllString(expr, -1) {
			used[name] = true
			if !slices.Contains(series, name) {
				t.Errorf("%s asks for %s, which is not emitted: %v", where, name, series)
			}
		}
		for _, m := range labelNames.FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(m[1]+m[2]+m[3], ",") {
				if label = strings.TrimSpace(label); !slices.Contains(labels, label) {
					t.Errorf("%s asks for the label %s, which is not emitted: %v", where, label, labels)
				}
			}
		}
	}
	for _, base := range []string{"db_client_operation_duration_seconds_count", "checkpoint_payload_size_bytes_bucket", "checkpoint_conflicts_total", "checkpoint_saves_total"} {
		if !used[base] {
			t.Errorf("nothing shows %s", base)
		}
	}
}
