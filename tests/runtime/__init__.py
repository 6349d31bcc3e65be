"""The runtime proved from inside: without disks, without processes, and for the most part without a loop."""
