"""Carry plans out: step handlers, the guard, the journal and the executors."""
