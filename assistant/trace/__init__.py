"""Decision records: what was heard, what competed, what came of it and why; kept, explained and run again."""
