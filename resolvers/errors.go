package resolvers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"grantwood/graph"
)

// userErrors splits what a change returned: refusals and mistakes become data, everything else stays an error.
func userErrors(err error) ([]graph.UserError, error) {
	list := graph.ErrorsOf(err)
	if err != nil && len(list) == 0 {
		return nil, err
	}
	problems := make([]graph.UserError, len(list))
	for i, e := range list {
		if !e.IsUserError() {
			return nil, err
		}
		problems[i] = e.UserError()
	}
	return problems, nil
}

// Present makes the error that a caller sees: of a graph.Error its code and sentence, of an error in the document what the
// parser or the validation says, of everything else the request's ID only.
func (r *Resolver) Present(ctx context.Context, err error) *gqlerror.Error {
	request := viewer(ctx).Request.ID
	if e, ok := errors.AsType[*graph.Error](err); ok {
		if e.Code == graph.Unavailable || e.Code == graph.Internal {
			r.Log.WarnContext(ctx, "request failed", "error", err, "request", request)
		}
		return shown(ctx, err, e)
	}
	if e, ok := errors.AsType[*gqlerror.Error](err); ok && e.Extensions["code"] != nil {
		return e
	}
	r.Log.ErrorContext(ctx, "internal error", "error", err, "path", graphql.GetPath(ctx).String(), "request", request)
	return shown(ctx, err, &graph.Error{Code: graph.Internal, Message: "Something went wrong; the request is " + request + "."})
}

func shown(ctx context.Context, err error, e *graph.Error) *gqlerror.Error {
	out := &gqlerror.Error{Message: e.Message, Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": string(e.Code)}}
	if e.RetryAfter > 0 {
		out.Extensions["retryAfter"] = int(math.Ceil(e.RetryAfter.Seconds()))
		caller(ctx).retryAfter(e.RetryAfter)
	}
	if fc := graphql.GetFieldContext(ctx); fc != nil {
		out.Path = fc.Path()
		if fc.Field.Field != nil && fc.Field.Position != nil {
			out.Locations = []gqlerror.Location{{Line: fc.Field.Position.Line, Column: fc.Field.Position.Column}}
		}
	}
	if len(e.Path) > 0 {
		out.Extensions["argument"] = e.Path
	} else if wrapped, ok := errors.AsType[*gqlerror.Error](err); ok && len(wrapped.Path) > len(out.Path) {
		out.Extensions["argument"] = pathNames(wrapped.Path[len(out.Path):])
	}
	return out
}

// Recover turns a panic into an error that shows nothing of its cause.
func (r *Resolver) Recover(ctx context.Context, cause any) error {
	r.Log.ErrorContext(ctx, "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()), "request", viewer(ctx).Request.ID)
	return errors.New("panic")
}

func pathNames(path ast.Path) []string {
	names := make([]string, len(path))
	for i, element := range path {
		switch e := element.(type) {
		case ast.PathName:
			names[i] = string(e)
		case ast.PathIndex:
			names[i] = strconv.Itoa(int(e))
		}
	}
	return names
}
