"""The commands of `ringfence`, one a file; each imports what it runs only when it runs."""
