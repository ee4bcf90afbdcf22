"""The store's own tables as numbered SQL files, each applied once and never changed afterwards."""
