"""The scheduler: which variants run for the next utterance, so that answers stay in time on a busy board."""
