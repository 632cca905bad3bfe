"""Running steps over many samples: ledger, runner and the `prep` command."""
