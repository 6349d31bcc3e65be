"""Do callers in asyncio and in threads get what callers in trio get?"""
