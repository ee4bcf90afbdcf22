"""Applies a typed program to state: the reference interpreter, the compilers, the state store."""
