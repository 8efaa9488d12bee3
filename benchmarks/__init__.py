"""What `assistant bench` runs: each module measures one thing and makes a document of it."""
