"""The demo: one story, told by real parties, in the World or over gRPC."""
