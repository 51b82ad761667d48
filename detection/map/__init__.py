"""The whole way: scenes of several dates to inventories, and from them to hazard maps."""
