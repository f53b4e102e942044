"""The only code that knows the outside world; each driver implements a port."""
