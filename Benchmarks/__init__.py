"""V-Stack beside its peers, measured in the same run: `make bench`, or `python -m Benchmarks --help`."""
