package resolvers

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"

	"grantwood/db"
	"grantwood/graph"
)

var typesOfReportRow = []string{"UsageReportRow"}

// lookReports reads what the selections want below reports.
func (r *Resolver) lookReports(ctx context.Context, reports []*graph.UsageReport, selections ast.SelectionSet) error {
	var rows []*graph.UsageReportRow
	for _, report := range reports {
		rows = append(rows, report.Rows...)
	}
	return r.lookBelow(ctx, below(ctx, selections, nil, "rows"), typesOfReportRow, nil, map[string][]*graph.ApiKey{
		"key": distinct(rows, func(row *graph.UsageReportRow) *graph.ApiKey { return row.Key }),
	}, map[string][]*graph.Unit{
		"unit": distinct(rows, func(row *graph.UsageReportRow) *graph.Unit { return row.Unit }),
	})
}

func (r account) UsageReport(ctx context.Context, obj *graph.Account, input graph.UsageReportInput) (*graph.UsageReport, error) {
	report, err := r.DB.UsageReport(ctx, viewer(ctx), obj.AccountID, input)
	if err != nil {
		return nil, err
	}
	return report, r.lookReports(ctx, []*graph.UsageReport{report}, currentField(ctx).Selections)
}

func (r apiKey) UsageReport(ctx context.Context, obj *graph.ApiKey, input graph.UsageReportInput) (*graph.UsageReport, error) {
	return reportBelow(ctx, r.Resolver, &obj.Nested, obj, obj.KeyID, input, r.DB.UsageReportsOfKeys)
}

func (r unit) UsageReport(ctx context.Context, obj *graph.Unit, input graph.UsageReportInput) (*graph.UsageReport, error) {
	return reportBelow(ctx, r.Resolver, &obj.Nested, obj, obj.UnitID, input, r.DB.UsageReportsOfUnits)
}

// reportBelow gives the report of one object, made together with those of its siblings.
func reportBelow[P any](ctx context.Context, r *Resolver, n *graph.Nested, object *P, id graph.UUID, in graph.UsageReportInput,
	read func(context.Context, *graph.Viewer, []*P, graph.UsageReportInput) (map[graph.UUID]*graph.UsageReport, error)) (*graph.UsageReport, error) {
	f := currentField(ctx)
	return together(n, f.Field, object, id, db.Ask{}, func(all []*P) (map[graph.UUID]*graph.UsageReport, error) {
		reports, err := read(ctx, viewer(ctx), all, in)
		if err != nil {
			return nil, err
		}
		var list []*graph.UsageReport
		for _, report := range reports {
			list = append(list, report)
		}
		return reports, r.lookReports(ctx, list, f.Selections)
	})
}

func (r account) UsageDownload(ctx context.Context, obj *graph.Account, format graph.ExportFormat, compression graph.Compression,
	filter graph.UsageFilter) (*graph.UsageDownload, error) {
	in, err := graph.NewDownloadRequest(format, compression, filter)
	if err != nil {
		return nil, err
	}
	return r.DB.UsageDownload(ctx, viewer(ctx), obj.AccountID, in)
}
