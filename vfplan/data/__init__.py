"""Episodes on disk and training windows."""
