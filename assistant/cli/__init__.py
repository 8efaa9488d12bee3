"""The command line: one module per group of verbs, each thin (parse, call, print). A leaf: nothing imports it."""
