// Command grantwood serves account trees over GraphQL.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is what `grantwood version` and the API say.
const version = "0.1.0"

type commands struct {
	Serve    serveCommand    `cmd:"" help:"Serve the API."`
	Demo     demoCommand     `cmd:"" help:"Serve the API on a private database with demo accounts."`
	Ingest   ingestCommand   `cmd:"" help:"Send usage records to a server."`
	Download downloadCommand `cmd:"" help:"Fetch usage records as a file."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database to the newest version."`
	Doctor   doctorCommand   `cmd:"" help:"Check settings, PostgreSQL and the database, and say what to do."`
	Operator operatorCommand `cmd:"" help:"Make, list and revoke the tokens of the provider's staff and machines."`
	Grants   grantsCommand   `cmd:"" help:"Read and change the grants of an account as a file, over the API of a running server."`
	Version  versionCommand  `cmd:"" help:"Show the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	keepHeap()
	var c commands
	parsed := kong.Parse(&c,
		kong.Name("grantwood"),
		kong.Description("Grantwood keeps the tree behind each customer account and serves it as one GraphQL graph."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	parsed.FatalIfErrorf(parsed.Run())
}

type versionCommand struct{}

// Run shows the version.
func (versionCommand) Run(k *kong.Kong) error {
	k.Printf("%s", version)
	return nil
}
