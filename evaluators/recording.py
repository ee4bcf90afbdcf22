"""Recordings: snapshots on disk as Parquet, partitioned by book and day."""

from __future__ import annotations

from evaluators.recording_columns import quanta_of
from evaluators.recording_writer import RecordingWriter

__all__ = ["RecordingWriter", "quanta_of"]
