"""`make run`: storage, web server and three agents of one instance folder, started, watched and stopped together."""
