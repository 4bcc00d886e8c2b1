"""The kinds of handlers, a file each. `load(start)` gives what answers a call: a function of its header and its body
that returns the header and the body of the answer."""
