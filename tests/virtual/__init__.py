"""Does a virtual runtime do what the real one does, only without the waiting?"""
