"""Read, decide, append: thin. Meets the outside only through `monitor.ports`."""
