"""The modules of the fund: each computes facts from raw market, account and service state, and decides nothing."""
