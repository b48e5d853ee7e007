"""gRPC: the wire form of calls, the status form of errors, certificates, and the transport between parties."""
