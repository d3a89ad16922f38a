"""The network and the file formats: what is watched becomes parsed entries."""
