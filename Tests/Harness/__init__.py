"""What the tests of the whole system share: real processes, sample videos, a client, raw sockets."""
