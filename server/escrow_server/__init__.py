"""The services: relay, custodian, authority, log and witness as thin gRPC shells around their pure roles."""
