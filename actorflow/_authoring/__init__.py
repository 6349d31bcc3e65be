"""What authors write with: decorators, and the functions a handler may call.  Knows neither trio nor LMDB."""
