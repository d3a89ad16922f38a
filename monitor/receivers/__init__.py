"""One file a channel: each sends a composed digest and says what came of it."""
