"""What the assistant does, and what it finds out."""
