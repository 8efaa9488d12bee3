"""The fused model: a small net that compares each hypothesis with the sound itself, and what decides by its answers."""
