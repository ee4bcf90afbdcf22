"""The fund at work: its modules run at their intervals, and every snapshot is computed, stored and decided."""
