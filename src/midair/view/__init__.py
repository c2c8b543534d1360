"""Read models: what the API answers, what `--json` prints, what the CLI draws. Frozen, pure, and a promise."""
