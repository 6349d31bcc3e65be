"""What a search proves, of planted bugs and of the entities that are shown to readers."""
